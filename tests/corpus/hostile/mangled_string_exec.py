# expect: ORC201 at all
def main():
    return exec(''.join(chr(c) for c in [112, 97, 115, 115]))
