# expect: ORC007 at all
x = "[2J"
