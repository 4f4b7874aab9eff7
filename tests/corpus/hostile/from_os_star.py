# expect: ORC102 at all
from os import *

def main():
    return system('id')
