import math


def mersenne(p):
    return 2**p - 1


def is_probable_prime(n, rounds=(2, 3, 5, 7, 11, 13)):
    if n < 2 or n % 2 == 0:
        return n == 2
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for a in rounds:
        if a % n == 0:
            continue
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


GOOGOL = 10**100
MOD = 10**9 + 7
MASK = (1 << 64) - 1
BIG = 2**10_000


def main():
    return {
        "m61": is_probable_prime(mersenne(61)),
        "digits": len(str(math.factorial(500))),
        "mod": pow(3, GOOGOL, MOD),
        "comb": math.comb(60, 30) & MASK,
        "bits": BIG.bit_length(),
        "big": [0] * 1000 == [0] * 10**3,
    }
