# expect: ORC101 at all
from concurrent import interpreters
