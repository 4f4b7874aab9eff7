# expect: ORC401
# level: standard
import threading


def main() -> None:
    threading.Thread(target=print).start()
