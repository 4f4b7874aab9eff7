import queue
import weakref


class Task:
    def __init__(self, name):
        self.name = name


def main():
    q = queue.PriorityQueue(maxsize=10)
    for priority, name in [(2, "write"), (1, "read"), (3, "sleep")]:
        q.put((priority, name))
    order = []
    try:
        while True:
            order.append(q.get_nowait()[1])
    except queue.Empty:
        pass
    task = Task("x")
    ref = weakref.ref(task)
    cache = weakref.WeakValueDictionary({"x": task})
    alive = ref() is task and "x" in cache
    return order, alive, q.qsize()
