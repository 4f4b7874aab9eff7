# expect: ORC201 at all
class Sink(dict):
    def __setitem__(self, key, value):
        pass

class Meta(type):
    def __prepare__(name, bases):
        return Sink()

class A(metaclass=Meta):
    eval = None
    x = eval('1')
