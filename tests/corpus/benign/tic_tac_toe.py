from __future__ import annotations

import math

WINS = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


class Board:
    def __init__(self, cells: list[str] | None = None):
        self.cells = cells or [" "] * 9

    def __str__(self):
        rows = [" | ".join(self.cells[i : i + 3]) for i in (0, 3, 6)]
        return "\n--+---+--\n".join(rows)

    @property
    def winner(self) -> str | None:
        for a, b, c in WINS:
            if self.cells[a] != " " and self.cells[a] == self.cells[b] == self.cells[c]:
                return self.cells[a]
        return None

    def moves(self):
        return [i for i, cell in enumerate(self.cells) if cell == " "]

    def play(self, index, player):
        copy = self.cells.copy()
        copy[index] = player
        return Board(copy)


def minimax(board, player, maximizing):
    if board.winner:
        return (1 if not maximizing else -1), None
    if not board.moves():
        return 0, None
    best, best_move = (-math.inf, None) if maximizing else (math.inf, None)
    for move in board.moves():
        score, _ = minimax(board.play(move, player), "O" if player == "X" else "X", not maximizing)
        if (maximizing and score > best) or (not maximizing and score < best):
            best, best_move = score, move
    return best, best_move


def main():
    board = Board(["X", "O", "X", " ", "O", " ", " ", " ", " "])
    return {"move": minimax(board, "X", True)[1], "board": str(board)}
