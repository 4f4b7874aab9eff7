# expect: ORC101 at all
class Box:
    import runpy

def main():
    return Box.runpy
