"""Fills memory page by page; the sandbox's limit ends it, the host does not notice."""


def main():
    kept = []
    while True:
        kept.append(bytearray(1 << 20))
        if len(kept) % 16 == 0:
            print(f"{len(kept)} MB")
