# expect: ORC104 at all
from os import path as p

def main():
    return p.os.system("id")
