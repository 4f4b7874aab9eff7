# expect: ORC303 at all
class A:
    import sys
A.sys.modules
