# expect: ORC401 at all
import urllib.parse

def main():
    return urllib.request.urlopen('http://example.org')
