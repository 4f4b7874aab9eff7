# expect: ORC202 at all
fetch = getattr

def main(x, n):
    return fetch(x, n)
