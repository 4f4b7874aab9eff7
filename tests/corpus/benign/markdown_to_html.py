import html
import re


class MarkdownConverter:
    INLINE = [
        (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
        (re.compile(r"\*(.+?)\*"), r"<em>\1</em>"),
        (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
        (re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)"), r'<img alt="\1" src="\2">'),
        (re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)"), r'<a href="\2">\1</a>'),
    ]

    def inline(self, text):
        text = html.escape(text, quote=False)
        for pattern, replacement in self.INLINE:
            text = pattern.sub(replacement, text)
        return text

    def convert(self, source):
        out, in_list, in_code = [], False, False
        for line in source.split("\n"):
            if line.startswith("```"):
                out.append("</pre>" if in_code else "<pre>")
                in_code = not in_code
                continue
            if in_code:
                out.append(html.escape(line))
                continue
            item = re.match(r"[-*]\s+(.*)", line)
            if item and not in_list:
                out.append("<ul>")
                in_list = True
            elif not item and in_list:
                out.append("</ul>")
                in_list = False
            heading = re.match(r"(#{1,6})\s+(.*)", line)
            if heading:
                level = len(heading[1])
                out.append(f"<h{level}>{self.inline(heading[2])}</h{level}>")
            elif item:
                out.append(f"<li>{self.inline(item[1])}</li>")
            elif line.strip():
                out.append(f"<p>{self.inline(line)}</p>")
        if in_list:
            out.append("</ul>")
        return "\n".join(out)


def main(text="# Hi\n\n* one\n* **two**\n\n`exec` <b>"):
    return MarkdownConverter().convert(text)
