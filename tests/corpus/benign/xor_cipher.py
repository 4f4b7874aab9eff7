import itertools
import os


def xor_bytes(data: bytes, key: bytes) -> bytes:
    return bytes(b ^ k for b, k in zip(data, itertools.cycle(key)))


def main(message="attack at dawn", key="secret"):
    encrypted = xor_bytes(message.encode(), key.encode())
    decrypted = xor_bytes(encrypted, key.encode()).decode()
    name = os.path.splitext("note.md")[0]
    return {"hex": encrypted.hex(), "ok": decrypted == message, "name": name}
