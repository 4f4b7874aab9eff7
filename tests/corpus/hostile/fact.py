# expect: ORC601 at all
import math
math.factorial(10**9)
