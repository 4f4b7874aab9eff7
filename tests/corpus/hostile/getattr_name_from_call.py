# expect: ORC202 at all
def main(o, text):
    return getattr(o, text.strip())
