# expect: ORC401 at all
import os

a = os
b = a

def main():
    c = b
    return c.system("id")
