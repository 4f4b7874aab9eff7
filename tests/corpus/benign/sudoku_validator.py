def valid(board):
    def unique(cells):
        digits = [c for c in cells if c != "."]
        return len(digits) == len(set(digits))

    rows = all(unique(row) for row in board)
    columns = all(unique(col) for col in zip(*board))
    boxes = all(
        unique([board[r + i][c + j] for i in range(3) for j in range(3)])
        for r in range(0, 9, 3)
        for c in range(0, 9, 3)
    )
    return rows and columns and boxes


PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"


def main(puzzle=PUZZLE):
    board = [list(puzzle[i : i + 9]) for i in range(0, 81, 9)]
    print("\n".join(" ".join(row) for row in board))
    return valid(board)
