# expect: ORC104 at all
import re

def main():
    return re.enum.bltns
