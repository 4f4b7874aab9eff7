# expect: ORC402 at all
class A:
    import sys
    def f(self): return self.sys.modules
