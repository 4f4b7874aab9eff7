import re

EMAIL = re.compile(r"^[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$")
PHONE = re.compile(r"^(\+\d{1,3}[- ]?)?\(?\d{3}\)?[- ]?\d{3}[- ]?\d{4}$")
URL = re.compile(r"https?://(?:[-\w.]|(?:%[\da-fA-F]{2}))+[^\s]*")
IPV4 = re.compile(r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$")
HEX = re.compile(r"^#(?:[0-9a-fA-F]{3}){1,2}$")


def validate(kind, value):
    patterns = {"email": EMAIL, "phone": PHONE, "ip": IPV4, "hex": HEX}
    return bool(patterns[kind].match(value))


def main():
    return {
        "email": validate("email", "a.b@example.co.uk"),
        "phone": validate("phone", "+1 555-123-4567"),
        "ip": validate("ip", "256.1.1.1"),
        "hex": validate("hex", "#ffcc00"),
        "urls": URL.findall("see https://example.org/a?b=1 and http://x.y"),
    }
