"""Prints until the output limit ends it."""


def main():
    number = 0
    while True:
        number += 1
        print(f"line {number}: all work and no play")
