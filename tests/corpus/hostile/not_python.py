# expect: ORC001 at all
def main(:
    pass
