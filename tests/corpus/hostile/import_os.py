# expect: ORC101 at strict standard
import os

def main():
    return os.listdir('/')
