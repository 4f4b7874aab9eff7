# expect: ORC101 at all
import ctypes

def main():
    return ctypes.CDLL(None)
