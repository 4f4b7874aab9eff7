# not strict: the attribute is named by data
from dataclasses import dataclass


@dataclass
class Book:
    title: str
    author: str
    year: int


def sort_books(books, key="title", reverse=False):
    return sorted(books, key=lambda book: getattr(book, key), reverse=reverse)


def group_by(items, attr):
    groups = {}
    for item in items:
        groups.setdefault(getattr(item, attr), []).append(item)
    return groups


def main(key: str = "year"):
    books = [Book("Dune", "Herbert", 1965), Book("Emma", "Austen", 1815)]
    return [b.title for b in sort_books(books, key)], list(group_by(books, "author"))
