# expect: ORC101
# level: relaxed
import urllib.request


def main(text: str) -> None:
    urllib.request.urlopen("http://192.0.2.1/", text.encode())
