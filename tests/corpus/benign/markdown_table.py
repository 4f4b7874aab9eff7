def column_widths(rows):
    return [max(len(str(cell)) for cell in column) for column in zip(*rows)]


def markdown_table(header, rows, align=None):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = column_widths([header, *rows])
    align = align or ["<"] * len(header)

    def line(cells):
        return "| " + " | ".join("{:{}{}}".format(c, a, w) for c, a, w in zip(cells, align, widths)) + " |"

    rule = "|" + "|".join(
        (":" if a in "<^" else "-") + "-" * w + (":" if a in ">^" else "-") for a, w in zip(align, widths)
    ) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def main(header, rows):
    return markdown_table(header, rows, align=["<"] + [">"] * (len(header) - 1))
