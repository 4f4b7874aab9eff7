# expect: ORC301 at all
import dataclasses
dataclasses.make_dataclass("A", [("__mro__", int)], bases=(type,))
