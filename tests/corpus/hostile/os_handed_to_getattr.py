# expect: ORC402 at all
import os

def main(name):
    return getattr(os, name)("id"), os.sep
