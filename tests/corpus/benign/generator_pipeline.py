import itertools


def read(lines):
    for line in lines:
        yield line.rstrip("\n")


def grep(needle, lines):
    return (line for line in lines if needle in line)


def numbered(lines, start=1):
    yield from enumerate(lines, start)


def averager():
    total = count = 0
    average = None
    while True:
        value = yield average
        if value is None:
            return
        total += value
        count += 1
        average = total / count


def main(text="a cat\na dog\nthe cat"):
    found = list(numbered(grep("cat", read(text.splitlines()))))
    avg = averager()
    next(avg)
    averages = [avg.send(n) for n in (10, 20, 60)]
    avg.close()
    pairs = list(itertools.pairwise([1, 2, 3]))
    batches = [list(b) for _, b in itertools.groupby(range(7), key=lambda i: i // 3)]
    return {"found": found, "averages": averages, "pairs": pairs, "batches": batches, "zip": list(itertools.zip_longest("ab", "c"))}
