# expect: ORC104 at all
import dataclasses

def main():
    return dataclasses.inspect.currentframe()
