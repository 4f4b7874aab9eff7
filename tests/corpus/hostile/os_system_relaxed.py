# expect: ORC401 at relaxed
import os

def main():
    return os.system('id')
