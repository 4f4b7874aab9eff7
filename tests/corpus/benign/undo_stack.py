import copy
from typing import List


class Document:
    def __init__(self) -> None:
        self.lines: List[str] = []
        self._undo: List[List[str]] = []
        self._redo: List[List[str]] = []

    def _snapshot(self) -> None:
        self._undo.append(copy.copy(self.lines))
        self._redo.clear()

    def insert(self, index: int, text: str) -> None:
        self._snapshot()
        self.lines.insert(index, text)

    def delete(self, index: int) -> str:
        self._snapshot()
        return self.lines.pop(index)

    def undo(self) -> bool:
        if not self._undo:
            return False
        self._redo.append(self.lines)
        self.lines = self._undo.pop()
        return True

    def redo(self) -> bool:
        if not self._redo:
            return False
        self._undo.append(self.lines)
        self.lines = self._redo.pop()
        return True


def main():
    doc = Document()
    doc.insert(0, "one")
    doc.insert(1, "two")
    doc.delete(0)
    doc.undo()
    doc.undo()
    doc.redo()
    return doc.lines
