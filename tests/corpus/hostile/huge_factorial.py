# expect: ORC601 at all
from math import factorial as f

result = f(10**8)
