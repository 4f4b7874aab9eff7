from calendar import monthrange, isleap
from datetime import date, datetime, timedelta, timezone


def age(born, today=None):
    today = today or date.today()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def working_days(start, end, holidays=()):
    days = (start + timedelta(n) for n in range((end - start).days + 1))
    return sum(1 for d in days if d.weekday() < 5 and d not in holidays)


def add_months(d, months):
    month = d.month - 1 + months
    year, month = d.year + month // 12, month % 12 + 1
    return d.replace(year=year, month=month, day=min(d.day, monthrange(year, month)[1]))


def humanize(delta):
    seconds = int(delta.total_seconds())
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            n = seconds // size
            return f"{n} {name}{'s' * (n != 1)} ago"
    return "just now"


def main():
    now = datetime(2024, 2, 29, 12, tzinfo=timezone.utc)
    return {
        "age": age(date(2000, 3, 1), now.date()),
        "work": working_days(date(2024, 1, 1), date(2024, 1, 31), {date(2024, 1, 1)}),
        "plus": add_months(now.date(), 12).isoformat(),
        "ago": humanize(timedelta(hours=5)),
        "leap": isleap(2024),
        "stamp": now.timestamp(),
        "iso": now.strftime("%G-W%V-%u"),
    }
