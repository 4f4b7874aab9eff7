# expect: ORC204 at all
import operator
operator.itemgetter("__import__")(d)
