# expect: ORC302 at all
import sys

def main():
    return sys._getframe()
