# expect: ORC202 at all
import operator, functools
functools.partial(operator.attrgetter, "__class__")
