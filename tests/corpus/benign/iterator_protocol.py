class Countdown:
    def __init__(self, start):
        self.current = start

    def __iter__(self):
        return self

    def __next__(self):
        if self.current <= 0:
            raise StopIteration
        self.current -= 1
        return self.current + 1


class Matrix:
    def __init__(self, rows):
        self._rows = rows

    def __getitem__(self, key):
        if isinstance(key, tuple):
            row, column = key
            return self._rows[row][column]
        return self._rows[key]

    def __setitem__(self, key, value):
        row, column = key
        self._rows[row][column] = value

    def __delitem__(self, row):
        del self._rows[row]

    def __len__(self):
        return len(self._rows)

    def __reversed__(self):
        return reversed(self._rows)

    def __contains__(self, value):
        return any(value in row for row in self._rows)


m = Matrix([[1, 2], [3, 4], [5, 6]])
m[0, 1] = 9
del m[2]
result = [list(Countdown(3)), m[0, 1], m[1], len(m), 4 in m, list(reversed(m))]
