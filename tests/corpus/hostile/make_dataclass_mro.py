# expect: ORC301 at all
import dataclasses

result = dataclasses.make_dataclass("A", ["__mro__"], bases=(type,))
