def solve_n_queens(n):
    solutions = []
    columns, diag1, diag2 = set(), set(), set()
    board = [-1] * n

    def place(row):
        if row == n:
            solutions.append(["." * c + "Q" + "." * (n - c - 1) for c in board])
            return
        for col in range(n):
            if col in columns or row - col in diag1 or row + col in diag2:
                continue
            columns.add(col); diag1.add(row - col); diag2.add(row + col)
            board[row] = col
            place(row + 1)
            columns.remove(col); diag1.remove(row - col); diag2.remove(row + col)

    place(0)
    return solutions


def main(n: int = 6):
    found = solve_n_queens(n)
    print(f"{n} queens: {len(found)} solutions")
    for line in found[0]:
        print(line)
    return len(found)
