def pascal(n):
    row = [1]
    for _ in range(n):
        yield row
        row = [1, *(a + b for a, b in zip(row, row[1:])), 1]


def collatz(n, cache={1: 1}):
    if n not in cache:
        cache[n] = 1 + collatz(n // 2 if n % 2 == 0 else 3 * n + 1)
    return cache[n]


def gcd(a, b):
    return a if not b else gcd(b, a % b)


def perfect(limit):
    return [n for n in range(2, limit) if sum(d for d in range(1, n) if n % d == 0) == n]


for row in pascal(5):
    print(" ".join(map(str, row)).center(20))
result = {"longest": max(range(1, 1000), key=collatz), "gcd": gcd(48, 36), "perfect": perfect(500)}
