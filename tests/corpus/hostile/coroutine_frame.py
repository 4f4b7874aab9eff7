# expect: ORC302 at all
async def main():
    return main().cr_frame
