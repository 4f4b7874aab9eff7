import re
import secrets
import string


def generate(length=16):
    alphabet = string.ascii_letters + string.digits + "!@#$%^&*"
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(length))
        if strength(password)[0] >= 4:
            return password


def strength(password):
    checks = {
        "length": len(password) >= 8,
        "lower": bool(re.search(r"[a-z]", password)),
        "upper": bool(re.search(r"[A-Z]", password)),
        "digit": any(c.isdigit() for c in password),
        "special": bool(re.search(r"[!@#$%^&*(),.?\":{}|<>]", password)),
    }
    return sum(checks.values()), [name for name, ok in checks.items() if not ok]


def main(password: str = "secret"):
    score, missing = strength(password)
    return {"score": f"{score}/5", "missing": missing, "new": len(generate(12))}
