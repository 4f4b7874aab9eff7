# expect: ORC101 at all
from typing import get_type_hints

def main():
    return get_type_hints(main)
