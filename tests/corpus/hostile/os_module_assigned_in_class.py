# expect: ORC402 at all
import os

class Tools:
    o = os

result = Tools.o.system("id")
