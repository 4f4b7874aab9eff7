import argparse
import json
import sys
from pathlib import Path


def build_parser():
    parser = argparse.ArgumentParser(description="Count words in notes.", formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="notes to read")
    parser.add_argument("-m", "--min-length", type=int, default=1, metavar="N")
    parser.add_argument("--sort", choices=("name", "count"), default="count")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--version", action="version", version="%(prog)s 1.0")
    return parser


def count(path, minimum):
    return sum(1 for w in path.read_text(encoding="utf-8").split() if len(w) >= minimum)


def run(argv=None):
    args = build_parser().parse_args(argv)
    if args.verbose:
        print(f"arguments: {vars(args)}", file=sys.stderr)
    counts = {p.name: count(p, args.min_length) for p in args.files if p.exists()}
    key = (lambda kv: kv[0]) if args.sort == "name" else (lambda kv: -kv[1])
    json.dump(dict(sorted(counts.items(), key=key)), sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(run())
