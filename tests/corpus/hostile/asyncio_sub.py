# expect: ORC101 at strict standard
import asyncio
