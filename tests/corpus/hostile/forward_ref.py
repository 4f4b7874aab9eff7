# expect: ORC401 at all
import typing

result = typing.ForwardRef("print(1)")
