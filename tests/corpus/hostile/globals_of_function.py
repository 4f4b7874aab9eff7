# expect: ORC301 at all
def main():
    return main.__globals__
