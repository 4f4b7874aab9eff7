# expect: ORC401 at all
import enum
enum.global_enum(E)
