import calendar
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo


def main(start: str, days: int = 7):
    first = datetime.combine(date.fromisoformat(start), time(9, 30), tzinfo=ZoneInfo("Europe/Berlin"))
    stamps = [(first + timedelta(days=n)).astimezone(timezone.utc).isoformat() for n in range(days)]
    return {"stamps": stamps, "month": calendar.month_name[first.month], "now": datetime.now().year > 2000}
