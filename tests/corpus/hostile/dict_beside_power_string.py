# expect: ORC301 at all
class A:
    def get(self, name):
        return self.__dict__[name]

result = A.get(type, "__subclasses__")
