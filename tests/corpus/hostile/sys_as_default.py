# expect: ORC402 at all
import sys

def main(s=sys):
    return s.modules
