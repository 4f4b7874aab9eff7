from abc import ABC, abstractmethod
import datetime as dt


class Employee(ABC):
    count = 0

    def __init__(self, name, hired, salary):
        self.name = name
        self.hired = hired
        self.__salary = salary
        Employee.count += 1

    @property
    def salary(self):
        return self.__salary

    @salary.setter
    def salary(self, value):
        if value < self.__salary:
            raise ValueError("no pay cuts")
        self.__salary = value

    @abstractmethod
    def bonus(self):
        """Yearly bonus."""

    @classmethod
    def from_string(cls, text):
        name, hired, salary = text.split(",")
        return cls(name, dt.datetime.strptime(hired, "%Y-%m-%d").date(), float(salary))

    def years(self, today=None):
        today = today or dt.date.today()
        return (today - self.hired).days // 365

    def __repr__(self):
        return "{}(name={!r}, salary={:.2f})".format(self.__class__.__name__, self.name, self.salary)

    def __lt__(self, other):
        return self.salary < other.salary


class Manager(Employee):
    def __init__(self, name, hired, salary, reports=None):
        super().__init__(name, hired, salary)
        self.reports = list(reports or [])

    def bonus(self):
        return 0.2 * self.salary + 1000 * len(self.reports)


class Developer(Employee):
    def bonus(self):
        return 0.1 * self.salary


if __name__ == "__main__":
    ann = Developer.from_string("Ann,2019-05-01,70000")
    bob = Manager("Bob", dt.date(2015, 1, 1), 90000, [ann])
    for e in sorted([bob, ann]):
        print(e, e.bonus(), isinstance(e, Manager))
    print(f"{Employee.count} employees")
