# expect: ORC201 at all
async def main():
    async with exec as e:
        return e
