# expect: ORC101 at all
from typing import get_type_hints as g

result = g(type)
