def make_counter(start=0, step=1):
    count = start

    def increment():
        nonlocal count
        count += step
        return count

    def reset():
        nonlocal count
        count = start

    increment.reset = reset
    return increment


def memoize(fn):
    memo = {}

    def helper(*args):
        if args not in memo:
            memo[args] = fn(*args)
        return memo[args]

    helper.__name__ = fn.__name__
    helper.__doc__ = fn.__doc__
    helper.memo = memo
    return helper


@memoize
def ackermann(m, n):
    """Small arguments only."""
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


c = make_counter(10, 5)
result = [c(), c(), (c.reset(), c())[1], ackermann(2, 3), ackermann.__doc__, len(ackermann.memo) > 5, [f(2) for f in [lambda x, n=n: x**n for n in range(3)]]]
