# expect: ORC101 at all
def main():
    from ctypes import CDLL
    return CDLL(None)
