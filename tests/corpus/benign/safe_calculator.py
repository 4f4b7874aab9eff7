import ast
import math


def calculate(text):
    """Evaluate a literal, never with eval()."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError) as e:
        return f"Error: {e}"


FUNCTIONS = {"sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "log": math.log10, "fact": math.factorial}


def apply(name, argument):
    func = FUNCTIONS.get(name)
    return func(argument) if func else None


result = [calculate("[1, 2, {'a': None}]"), calculate("__import__('os')"), apply("sqrt", 16), apply("fact", 5)]
