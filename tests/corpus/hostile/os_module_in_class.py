# expect: ORC402 at all
class Tools:
    import os

result = Tools().os.system
