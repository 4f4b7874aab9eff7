import csv
import io
from decimal import Decimal, InvalidOperation


def parse(value):
    try:
        return Decimal(value.replace(",", ""))
    except InvalidOperation as error:
        raise ValueError(f"not a number: {value!r}") from error


def main(table: str):
    rows = list(csv.DictReader(io.StringIO(table)))
    total = sum((parse(r["amount"]) for r in rows), Decimal(0))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["rows", "total"])
    writer.writerow([len(rows), f"{total:.2f}"])
    return out.getvalue()
