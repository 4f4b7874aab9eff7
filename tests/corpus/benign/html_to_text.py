from html import unescape
from html.parser import HTMLParser


class TextExtractor(HTMLParser):
    SKIP = {"script", "style", "head"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self._skip = 0

    def handle_starttag(self, tag, attrs):
        if tag in self.SKIP:
            self._skip += 1
        elif tag in ("p", "br", "div", "li"):
            self.parts.append("\n")
        elif tag == "a":
            href = dict(attrs).get("href")
            if href:
                self.parts.append(f"<{href}> ")

    def handle_endtag(self, tag):
        if tag in self.SKIP and self._skip:
            self._skip -= 1

    def handle_data(self, data):
        if not self._skip:
            self.parts.append(data)

    @property
    def text(self):
        return "".join(self.parts).strip()


def main(html="<p>Tom &amp; <b>Jerry</b></p><script>eval('x')</script>"):
    parser = TextExtractor()
    parser.feed(html)
    parser.close()
    return {"text": parser.text, "raw": unescape("&lt;ok&gt;")}
