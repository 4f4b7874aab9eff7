# expect: ORC101 at strict standard
import os.path

def main():
    return os.path.os.system('id')
