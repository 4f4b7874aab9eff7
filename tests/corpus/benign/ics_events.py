from datetime import datetime, timedelta
import uuid


def escape(text):
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def event(title, start, minutes=60, location=""):
    end = start + timedelta(minutes=minutes)
    stamp = "%Y%m%dT%H%M%S"
    lines = [
        "BEGIN:VEVENT",
        f"UID:{uuid.uuid5(uuid.NAMESPACE_DNS, title)}@skills",
        f"DTSTART:{start.strftime(stamp)}",
        f"DTEND:{end:%Y%m%dT%H%M%S}",
        f"SUMMARY:{escape(title)}",
    ]
    if location:
        lines.append(f"LOCATION:{escape(location)}")
    return lines + ["END:VEVENT"]


def main(items: list):
    body = [line for item in items for line in event(item["title"], datetime.fromisoformat(item["start"]))]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//skill//EN", *body, "END:VCALENDAR"])
