import calendar
import datetime
import locale


def month_markdown(year, month, events):
    cal = calendar.Calendar(firstweekday=0)
    lines = ["| " + " | ".join(calendar.day_abbr) + " |", "|" + " --- |" * 7]
    for week in cal.monthdayscalendar(year, month):
        cells = []
        for day in week:
            mark = "*" if day in events else ""
            cells.append(f"{day}{mark}" if day else " ")
        lines.append("| " + " | ".join(cells) + " |")
    return f"## {calendar.month_name[month]} {year}\n\n" + "\n".join(lines)


def main(year=2024, month=2):
    first = datetime.date(year, month, 1)
    return month_markdown(first.year, first.month, {14, 29})
