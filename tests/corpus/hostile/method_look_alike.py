# expect: ORC009 at all
class A:
    def clоse(self):
        return 1
