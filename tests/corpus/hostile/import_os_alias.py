# expect: ORC401 at strict standard
import os as harmless

def main():
    return harmless.environ
