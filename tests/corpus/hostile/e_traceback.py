# expect: ORC301 at all
try: 1/0
except Exception as e: e.__traceback__
