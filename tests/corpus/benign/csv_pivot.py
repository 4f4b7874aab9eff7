import csv
import io
from collections import defaultdict
from operator import itemgetter

DATA = """region,product,amount
North,Apples,120
South,Apples,80
North,Pears,60
"""


def pivot(rows, index, column, value, func=sum):
    cells = defaultdict(list)
    for row in rows:
        cells[row[index], row[column]].append(float(row[value]))
    names = sorted({c for _, c in cells})
    out = []
    for i in sorted({r for r, _ in cells}):
        out.append({index: i, **{c: func(cells.get((i, c), [0])) for c in names}})
    return out


def to_csv(rows):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


reader = csv.DictReader(io.StringIO(DATA))
table = pivot(list(reader), "region", "product", "amount")
table.sort(key=itemgetter("region"), reverse=True)
result = to_csv(table)
print(result)
