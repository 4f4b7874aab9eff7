# expect: ORC401 at all
import typing
typing.get_type_hints(f)
