# expect: ORC401 at all
import types
types.CodeType
