# expect: ORC201 at all
import json

def main():
    return vars(json)
