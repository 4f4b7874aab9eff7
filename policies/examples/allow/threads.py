# level: relaxed
from concurrent.futures import ThreadPoolExecutor


def main(numbers: list[int]) -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(abs, numbers))
