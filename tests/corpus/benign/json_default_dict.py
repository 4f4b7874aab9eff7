import json


class Address:
    def __init__(self, street, city):
        self.street = street
        self.city = city


class Person:
    def __init__(self, name, age, address):
        self.name = name
        self.age = age
        self.address = address

    def to_json(self):
        return json.dumps(self, default=lambda o: o.__dict__, indent=2)

    @classmethod
    def from_json(cls, text):
        raw = json.loads(text)
        return cls(raw["name"], raw["age"], Address(**raw["address"]))


def main():
    text = Person("Ada", 36, Address("Main St", "London")).to_json()
    return vars(Person.from_json(text).address) if text else None
