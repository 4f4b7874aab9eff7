# expect: ORC401 at all
import dataclasses
dataclasses.FunctionType
