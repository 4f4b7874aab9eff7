# expect: ORC203 at all
import dataclasses
@dataclasses.dataclass(init=False)
class M(type):
    __mro__: int
class C(metaclass=M): pass
dataclasses.astuple(C)
