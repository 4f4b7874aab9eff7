# expect: ORC301 at all
class A:
    __slots__ = ("__globals__",)
