import base64
import binascii
import hashlib
import hmac
import uuid


def main(text: str):
    data = text.encode()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "mac": hmac.new(b"key", data, "sha256").hexdigest(),
        "b64": base64.b64encode(data).decode(),
        "hex": binascii.hexlify(data).decode(),
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, text)),
    }
