import xml.etree.ElementTree as ET
from html import escape, unescape


def main(feed):
    root = ET.fromstring(feed)
    return [{"title": unescape(i.findtext("title", "")), "safe": escape(i.tag)} for i in root.iter("item")]
