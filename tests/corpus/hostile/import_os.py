# expect: ORC401 at all
import os

def main():
    return os.kill(1, 9)
