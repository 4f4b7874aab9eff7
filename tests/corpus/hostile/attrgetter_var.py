# expect: ORC301 at all
import operator
n = "__class__"
operator.attrgetter(n)(())
