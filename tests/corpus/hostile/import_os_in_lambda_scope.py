# expect: ORC401 at all
import os

run = lambda command, o=os.popen: o(command)
