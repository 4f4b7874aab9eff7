# expect: ORC203 at all
class A:
    __code__ = 1
