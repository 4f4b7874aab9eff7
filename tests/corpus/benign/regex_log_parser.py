import re
from collections import Counter, defaultdict
from datetime import datetime

LINE = re.compile(
    r"""
    ^(?P<ip>\d{1,3}(?:\.\d{1,3}){3})\s-\s-\s
    \[(?P<time>[^\]]+)\]\s
    "(?P<method>[A-Z]+)\s(?P<path>\S+)\s[^"]*"\s
    (?P<status>\d{3})\s(?P<size>\d+|-)
    """,
    re.VERBOSE,
)

SAMPLE = """\
192.168.0.1 - - [10/Oct/2023:13:55:36 +0000] "GET /index.html HTTP/1.1" 200 2326
10.0.0.7 - - [10/Oct/2023:13:56:01 +0000] "POST /login HTTP/1.1" 403 -
bad line
192.168.0.1 - - [10/Oct/2023:14:00:00 +0000] "GET /a.png HTTP/1.1" 404 10
"""


def parse(text):
    for line in text.splitlines():
        m = LINE.match(line)
        if not m:
            yield None
            continue
        entry = m.groupdict()
        entry["time"] = datetime.strptime(entry["time"], "%d/%b/%Y:%H:%M:%S %z")
        entry["size"] = 0 if entry["size"] == "-" else int(entry["size"])
        yield entry


def main(text=SAMPLE):
    status, per_hour, skipped = Counter(), defaultdict(int), 0
    for entry in parse(text):
        if entry is None:
            skipped += 1
            continue
        status[entry["status"][0] + "xx"] += 1
        per_hour[entry["time"].hour] += entry["size"]
    return {"status": dict(status), "bytes": dict(per_hour), "skipped": skipped}
