# expect: ORC101 at all
from dataclasses import FunctionType
