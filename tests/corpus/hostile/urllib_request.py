# expect: ORC101 at all
import urllib.request

def main():
    return urllib.request.urlopen('http://example.org').read()
