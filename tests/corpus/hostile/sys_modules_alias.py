# expect: ORC401 at all
import sys
s = sys
t = s

def main():
    return t.modules['os']
