# expect: ORC402 at all
import functools
import shutil

def main():
    return functools.partial(print, shutil)()
