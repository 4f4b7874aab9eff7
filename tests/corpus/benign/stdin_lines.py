import sys


def main():
    total = 0.0
    for number, line in enumerate(sys.stdin, 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            total += float(line)
        except ValueError:
            print(f"line {number}: not a number: {line!r}", file=sys.stderr)
            sys.exit(1)
    print(f"Total: {total:g}")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        print("usage: sum < numbers")
    else:
        main()
