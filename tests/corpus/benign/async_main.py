# async syntax without the asyncio module: a coroutine that never waits
class Ready:
    def __await__(self):
        yield from ()
        return 5


async def compute():
    return await Ready() + 1


def main():
    coroutine = compute()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
