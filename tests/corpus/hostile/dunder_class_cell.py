# expect: ORC203 at all
class A:
    def f(self): return __class__
