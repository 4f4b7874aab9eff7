import re


def slug(title):
    return re.sub(r"[^\w-]+", "", title.lower().replace(" ", "-"))


def main(markdown):
    toc = []
    fenced = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        match = None if fenced else re.match(r"^(#{1,6})\s+(.*)$", line)
        if match:
            toc.append(f"{'  ' * (len(match.group(1)) - 1)}- [{match.group(2)}](#{slug(match.group(2))})")
    return "\n".join(toc)
