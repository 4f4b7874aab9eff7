# not strict: a template that is made at run time
ROWS = [("Apples", 3, 1.5), ("Cherries", 120, 0.05)]


def table(rows, headers=("Item", "Count", "Price")):
    widths = [max(len(str(r[i])) for r in [headers, *rows]) for i in range(len(headers))]
    row_format = "  ".join("{:<" + str(w) + "}" for w in widths)
    lines = [row_format.format(*headers), row_format.format(*("-" * w for w in widths))]
    lines += [row_format.format(*row) for row in rows]
    return "\n".join(lines)


def padded(text, width=20, fill="."):
    return f"{{:{fill}^{width}}}".format(text)


def main():
    print(("{:<10}" * 3).format(*"abc"))
    print("%-10s|%5d|%8.3f" % ROWS[0])
    print(padded("middle"))
    return table(ROWS)
