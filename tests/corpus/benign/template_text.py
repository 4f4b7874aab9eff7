from string import Template
from textwrap import dedent, fill

LETTER = """\
Dear {name},
your balance is {balance:>10,.2f}.
"""


def main(name, balance):
    text = LETTER.format(name=name, balance=balance)
    note = Template("To $who: $what").substitute(who=name, what="hello")
    return "\n".join([fill(text, width=40), dedent(note), "{0[key]} {1!r}".format({"key": 1}, name)])
