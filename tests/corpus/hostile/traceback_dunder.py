# expect: ORC301 at all
def main():
    try:
        1 / 0
    except Exception as error:
        return error.__traceback__
