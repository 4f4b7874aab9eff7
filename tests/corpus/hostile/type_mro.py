# expect: ORC302 at all
def main():
    return type.mro(bool)[1]
