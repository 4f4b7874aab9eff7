# expect: ORC201 at all
class A:
    e = eval
A.e("1")
