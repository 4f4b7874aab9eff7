# expect: ORC203 at all
class A:
    __bases__ = (int,)
