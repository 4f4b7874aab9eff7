import argparse


class TodoList:
    def __init__(self):
        self.items = []

    def add(self, text, priority=0):
        self.items.append({"text": text, "priority": priority, "done": False})

    def done(self, index):
        self.items[index]["done"] = True

    def show(self):
        for i, item in enumerate(sorted(self.items, key=lambda x: -x["priority"])):
            print(f"{i:>2}. [{'x' if item['done'] else ' '}] {item['text']}")


def main(argv: list = ["add", "milk", "--priority", "2"]):
    todo = TodoList()
    parser = argparse.ArgumentParser(prog="todo")
    sub = parser.add_subparsers(dest="command", required=True)
    add = sub.add_parser("add")
    add.add_argument("text")
    add.add_argument("--priority", type=int, default=0)
    add.set_defaults(func=lambda a: todo.add(a.text, a.priority))
    show = sub.add_parser("show")
    show.set_defaults(func=lambda a: todo.show())
    args = parser.parse_args(argv)
    args.func(args)
    return todo.items
