# expect: ORC301 at all
class A:
    def f(self): return self.__dict__
A.f(type)["__sub" + "classes__"](object)
