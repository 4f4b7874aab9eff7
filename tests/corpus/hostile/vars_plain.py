# expect: ORC205 at all
import json

def main():
    return vars(json)
