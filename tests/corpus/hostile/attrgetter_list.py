# expect: ORC202 at all
import operator
[operator.attrgetter][0]("__class__")
