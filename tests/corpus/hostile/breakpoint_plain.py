# expect: ORC201 at all
def main():
    breakpoint()
