# expect: ORC204 at all
import operator
operator.getitem({}, "__globals__")
