# expect: ORC302 at all
import typing
r = typing.get_args(typing.List["ev" + "al('1')"])[0]
r._evaluate({}, {}, frozenset())
