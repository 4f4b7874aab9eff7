# expect: ORC201 at all
class A(metaclass=exec):
    pass
