# expect: ORC201 at all
class X:
    __class_getitem__ = eval

def main():
    return X['1']
