"""Sieve of Eratosthenes."""
import math
from typing import List


def sieve(limit: int) -> List[int]:
    """Return all primes up to *limit* (inclusive)."""
    if limit < 2:
        return []
    is_prime = [True] * (limit + 1)
    is_prime[0] = is_prime[1] = False
    for p in range(2, math.isqrt(limit) + 1):
        if is_prime[p]:
            is_prime[p * p :: p] = [False] * len(range(p * p, limit + 1, p))
    return [i for i, prime in enumerate(is_prime) if prime]


if __name__ == "__main__":
    primes = sieve(10_000_000)
    print(f"Found {len(primes):,} primes")
    assert primes[:5] == [2, 3, 5, 7, 11]
