# expect: ORC304 at all
TEMPLATE = '{0.__globals__}'

def main():
    return TEMPLATE.format(main)
