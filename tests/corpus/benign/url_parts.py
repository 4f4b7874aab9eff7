from urllib.parse import parse_qs, quote, urlparse


def main(urls):
    parts = [urlparse(u) for u in urls]
    return [{"host": p.hostname, "query": parse_qs(p.query), "path": quote(p.path)} for p in parts]
