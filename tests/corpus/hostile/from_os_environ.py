# expect: ORC101 at strict standard
from os import environ as e

def main():
    return dict(e)
