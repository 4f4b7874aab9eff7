# expect: ORC203 at all
class A:
    __annotations__ = {"x": "".join(["print", "(1)"])}
