class Result:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        return self.value
        yield


class Session:
    async def __aenter__(self):
        self.open = True
        return self

    async def __aexit__(self, exc_type, exc, tb):
        self.open = False

    async def __aiter__(self):
        for n in range(3):
            yield n


async def fetch(n):
    return await Result(n * 2)


async def main():
    total = 0
    async with Session() as session:
        async for n in session:
            total += await fetch(n)
        squares = [x async for x in session if x % 2 == 0]
    return {"total": total, "squares": squares, "open": session.open}
