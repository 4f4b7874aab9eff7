# expect: ORC101 at all
from sys import modules
