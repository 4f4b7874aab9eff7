import os.path
from collections import Counter

STOP = frozenset("the a an of and to in is".split())


def words(path):
    with open(path, "r", encoding="utf-8", errors="ignore") as fh:
        for line in fh:
            for word in line.lower().split():
                word = word.strip(".,;:!?\"'()[]")
                if word and word not in STOP:
                    yield word


def main(path="/vault/book.txt", top=20):
    if not os.path.isfile(path):
        raise FileNotFoundError(path)
    counter = Counter(words(path))
    width = max((len(w) for w, _ in counter.most_common(top)), default=0)
    for word, n in counter.most_common(top):
        print(f"{word:>{width}} {'#' * n} {n}")
    return counter.most_common(top)
