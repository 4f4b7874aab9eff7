import math


def is_prime(n: int) -> bool:
    return n > 1 and all(n % i for i in range(2, math.isqrt(n) + 1))


def main(limit=100):
    return [n for n in range(limit) if is_prime(n)]


if __name__ == "__main__":
    print(main())
