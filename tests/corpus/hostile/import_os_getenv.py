# expect: ORC401 at strict standard
import os

def main():
    return os.getenv("HOME")
