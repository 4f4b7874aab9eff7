# expect: ORC401 at all
import dataclasses as d

result = d.FunctionType
