# expect: ORC101 at all
from code import InteractiveInterpreter as I

I().runsource("1")
