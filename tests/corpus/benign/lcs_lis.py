from bisect import bisect_left


def lcs(a, b):
    dp = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            dp[i + 1][j + 1] = dp[i][j] + 1 if x == y else max(dp[i][j + 1], dp[i + 1][j])
    out, i, j = [], len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            out.append(a[i - 1])
            i, j = i - 1, j - 1
        elif dp[i - 1][j] >= dp[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return "".join(out[::-1])


def lis(numbers):
    tails = []
    for n in numbers:
        i = bisect_left(tails, n)
        tails[i : i + 1] = [n]
    return len(tails)


def max_subarray(numbers):
    best = current = numbers[0]
    for n in numbers[1:]:
        current = max(n, current + n)
        best = max(best, current)
    return best


print(lcs("AGGTAB", "GXTXAYB"), lis([10, 9, 2, 5, 3, 7, 101]), max_subarray([-2, 1, -3, 4, -1, 2]))
