import base64
import binascii


def encode(text, urlsafe=False):
    raw = text.encode("utf-8")
    return (base64.urlsafe_b64encode(raw) if urlsafe else base64.b64encode(raw)).decode("ascii")


def decode(text):
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as e:
        return f"not base64: {e}"


def main(text="hello world"):
    token = encode(text)
    sample = base64.b64decode("aGVsbG8gd29ybGQ=").decode()
    return {"token": token, "back": decode(token), "bad": decode("%%%"), "sample": sample == text}
