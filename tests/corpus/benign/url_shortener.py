import hashlib
import string
from urllib.parse import parse_qs, quote_plus, urlencode, urljoin, urlparse, urlsplit, urlunsplit

ALPHABET = string.digits + string.ascii_letters


def base62(number):
    if number == 0:
        return ALPHABET[0]
    digits = []
    while number:
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))


class Shortener:
    def __init__(self, base="https://sho.rt/"):
        self.base, self.urls = base, {}

    def shorten(self, url):
        digest = int(hashlib.md5(url.encode("utf-8")).hexdigest()[:10], 16)
        code = base62(digest)
        self.urls[code] = url
        return urljoin(self.base, code)

    def expand(self, short):
        return self.urls.get(urlparse(short).path.lstrip("/"))


def clean(url):
    parts = urlsplit(url)
    query = {k: v for k, v in parse_qs(parts.query).items() if not k.startswith("utm_")}
    return urlunsplit(parts._replace(query=urlencode(query, doseq=True), fragment=""))


def main(url="https://example.org/a?utm_source=x&id=5#top"):
    s = Shortener()
    return {"same": s.expand(s.shorten(url)) == url, "clean": clean(url), "q": quote_plus("a b&c")}
