"""asyncio is allowed on this level, and this asks the event loop itself: the kernel refuses the socket."""

import asyncio


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_connection(asyncio.Protocol, "192.0.2.1", 80)
    return "connected"
