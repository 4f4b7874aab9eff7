# expect: ORC301 at all
s = object.__setattr__
