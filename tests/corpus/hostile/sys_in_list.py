# expect: ORC402 at all
import sys
bag = [sys]

def main():
    return bag[0].modules
