# expect: ORC301 at all
object.__getattribute__(1, "__class__")
