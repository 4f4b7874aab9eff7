from collections import defaultdict
from dataclasses import dataclass
from datetime import date
import json


@dataclass
class Expense:
    amount: float
    category: str
    day: date
    note: str = ""


class Tracker:
    def __init__(self):
        self.expenses: list[Expense] = []

    def add(self, amount, category, day, note=""):
        if amount <= 0:
            raise ValueError("amount must be greater than zero")
        self.expenses.append(Expense(round(float(amount), 2), category.strip().lower(), day, note))

    def by_month(self):
        totals = defaultdict(float)
        for e in self.expenses:
            totals[f"{e.day:%Y-%m}"] += e.amount
        return dict(sorted(totals.items()))

    def over_budget(self, budgets):
        spent = defaultdict(float)
        for e in self.expenses:
            spent[e.category] += e.amount
        return {c: round(spent[c] - limit, 2) for c, limit in budgets.items() if spent[c] > limit}


def main():
    t = Tracker()
    t.add(12.5, "Food", date(2024, 1, 3))
    t.add("40", "fun", date(2024, 2, 10), note="cinema")
    try:
        t.add(-1, "food", date.today())
    except ValueError as e:
        print("skipped:", e)
    return json.dumps({"months": t.by_month(), "over": t.over_budget({"fun": 30})})
