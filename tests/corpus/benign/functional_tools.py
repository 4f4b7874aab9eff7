from functools import partial, reduce, singledispatch, wraps, cached_property, total_ordering
from operator import add, attrgetter, itemgetter, methodcaller, mul


def compose(*functions):
    return reduce(lambda f, g: lambda x: g(f(x)), functions)


@singledispatch
def show(value):
    return repr(value)


@show.register
def _(value: int):
    return f"int {value}"


@show.register(list)
def _(value):
    return "[" + ", ".join(show(v) for v in value) + "]"


@total_ordering
class Version:
    def __init__(self, text):
        self.text = text

    @cached_property
    def parts(self):
        return tuple(int(p) for p in self.text.split("."))

    def __eq__(self, other):
        return self.parts == other.parts

    def __lt__(self, other):
        return self.parts < other.parts


def main():
    double = partial(mul, 2)
    pipeline = compose(str.strip, str.title, methodcaller("replace", " ", "-"))
    people = [{"n": "Bo", "age": 3}, {"n": "Al", "age": 9}]
    newest = max(map(Version, ["1.10", "1.9"]), key=attrgetter("parts"))
    return [double(4), pipeline(" ab cd "), reduce(add, [1, 2, 3]), show([1, "a"]), sorted(people, key=itemgetter("age"))[0]["n"], newest.text]
