# expect: ORC202 at all
import operator
def f(a=operator.attrgetter): return a("__class__")
