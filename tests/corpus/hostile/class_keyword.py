# expect: ORC301 at all
class A(metaclass=f.__class__): pass
