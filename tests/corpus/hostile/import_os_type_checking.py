# expect: ORC106 at strict standard
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

def main():
    return 1
