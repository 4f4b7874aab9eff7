# expect: ORC202 at all
import operator
d = {"a": operator.attrgetter}
