# expect: ORC302 at all
async def gen():
    yield 1

def main():
    return gen().ag_frame
