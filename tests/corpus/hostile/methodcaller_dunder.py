# expect: ORC301 at all
import operator
operator.methodcaller("__subclasses__")(object)
