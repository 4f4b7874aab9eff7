from string import Template

INVOICE = Template("""\
Invoice $number
Dear $name,
please pay $$${amount} until ${due}.
""")


class Strict(Template):
    delimiter = "%"
    idpattern = r"[a-z]+"


def main(name="Ann"):
    text = INVOICE.safe_substitute(number=7, name=name, amount="12.50", due="Monday")
    return text, Strict("%who rocks").substitute(who=name)
