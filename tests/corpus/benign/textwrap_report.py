import textwrap

TEXT = """
    The quick brown fox jumps over the lazy dog. Lorem ipsum dolor sit amet,
    consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore.
"""


def columns(left, right, width=30):
    l_lines = textwrap.wrap(left, width)
    r_lines = textwrap.wrap(right, width)
    height = max(len(l_lines), len(r_lines))
    l_lines += [""] * (height - len(l_lines))
    r_lines += [""] * (height - len(r_lines))
    return "\n".join(f"{a:<{width}} | {b}" for a, b in zip(l_lines, r_lines))


def main():
    clean = textwrap.dedent(TEXT).strip().replace("\n", " ")
    print(textwrap.fill(clean, width=40, initial_indent="* ", subsequent_indent="  "))
    print(textwrap.shorten(clean, width=30, placeholder="..."))
    print(textwrap.indent("a\nb", "> "))
    return columns(clean, clean.upper())
