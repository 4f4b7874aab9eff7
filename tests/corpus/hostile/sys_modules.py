# expect: ORC401 at all
import sys

def main():
    return sys.modules['os']
