from datetime import date, timedelta


def streaks(days):
    days = sorted(set(days))
    best = current = 0
    previous = None
    for d in days:
        current = current + 1 if previous and d - previous == timedelta(days=1) else 1
        best = max(best, current)
        previous = d
    return best, current


def heatmap(days, start, weeks=4):
    marks = set(days)
    rows = []
    for weekday in range(7):
        row = ""
        for week in range(weeks):
            row += "■" if start + timedelta(weeks=week, days=weekday) in marks else "□"
        rows.append(row)
    return "\n".join(rows)


def main(days: list):
    parsed = [date.fromisoformat(d) for d in days]
    best, current = streaks(parsed)
    return {"best": best, "current": current, "map": heatmap(parsed, min(parsed))}
