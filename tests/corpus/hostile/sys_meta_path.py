# expect: ORC101 at all
from sys import meta_path

def main():
    return meta_path
