# expect: ORC401 at all
import string

def main(x):
    return string.Formatter().get_field('0.__class__', [x], {})
