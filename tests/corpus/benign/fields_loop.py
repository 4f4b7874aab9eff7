from dataclasses import dataclass, fields, field, replace


@dataclass
class Sample:
    name: str
    values: list[float] = field(default_factory=list)
    unit: str = "m"

    def as_row(self):
        return [str(getattr(self, f.name)) for f in fields(self)]


def diff(a, b):
    return {f.name: (getattr(a, f.name), getattr(b, f.name)) for f in fields(a) if getattr(a, f.name) != getattr(b, f.name)}


def main():
    first = Sample("a", [1.0])
    second = replace(first, unit="cm")
    for attribute in ("name", "unit"):
        print(attribute, getattr(second, attribute))
    return {"row": first.as_row(), "diff": diff(first, second)}
