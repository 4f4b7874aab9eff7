def valid(board, row, column, digit):
    box_row, box_column = row // 3 * 3, column // 3 * 3
    return not any(
        board[row][i] == digit or board[i][column] == digit or board[box_row + i // 3][box_column + i % 3] == digit
        for i in range(9)
    )


def solve(board):
    for row in range(9):
        for column in range(9):
            if not board[row][column]:
                for digit in range(1, 10):
                    if valid(board, row, column, digit):
                        board[row][column] = digit
                        if solve(board):
                            return True
                        board[row][column] = 0
                return False
    return True


def main(board):
    return board if solve(board) else None
