def transpose(m):
    return [list(row) for row in zip(*m)]


def multiply(a, b):
    if len(a[0]) != len(b):
        raise ValueError("shapes do not match")
    return [[sum(x * y for x, y in zip(row, col)) for col in zip(*b)] for row in a]


def determinant(m):
    if len(m) == 1:
        return m[0][0]
    return sum((-1) ** c * m[0][c] * determinant([r[:c] + r[c + 1:] for r in m[1:]]) for c in range(len(m)))


def identity(n):
    return [[int(i == j) for j in range(n)] for i in range(n)]


def power(m, e):
    result = identity(len(m))
    while e:
        if e & 1:
            result = multiply(result, m)
        m = multiply(m, m)
        e >>= 1
    return result


def main():
    m = [[1, 1], [1, 0]]
    return {"fib50": power(m, 50)[0][1], "det": determinant([[2, 0, 1], [1, 3, 2], [1, 1, 1]]), "t": transpose([[1, 2, 3]])}
