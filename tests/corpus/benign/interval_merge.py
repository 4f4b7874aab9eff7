from bisect import bisect_left, insort


def merge(intervals):
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


class Scheduler:
    def __init__(self):
        self._starts, self._events = [], {}

    def book(self, start, end):
        i = bisect_left(self._starts, end)
        if i and self._events[self._starts[i - 1]] > start:
            return False
        insort(self._starts, start)
        self._events[start] = end
        return True


def main(intervals: list):
    s = Scheduler()
    return {"merged": merge(intervals), "booked": [s.book(a, b) for a, b in intervals]}
