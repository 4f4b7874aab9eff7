# expect: ORC401 at all
import typing_extensions as t

result = t.get_type_hints(type)
