# expect: ORC101 at all
from asyncio import create_subprocess_shell

async def main():
    return await create_subprocess_shell('id')
