# expect: ORC402 at all
import os

TOOLS = {"o": os}
result = TOOLS["o"].system("id"), os.sep
