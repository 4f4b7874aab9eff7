"""Runs until the wall limit ends it: SIGINT comes first, which this ignores, then SIGKILL."""


def main():
    print("counting")
    count = 0
    while True:
        try:
            while True:
                count += 1
        except KeyboardInterrupt:
            print("told to stop, and going on")
