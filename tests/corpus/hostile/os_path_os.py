# expect: ORC104 at all
import os.path

def main():
    return os.path.os.system('id')
