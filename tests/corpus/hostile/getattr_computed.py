# expect: ORC501 at all
def main(x):
    return getattr(x, '__cla' + 'ss__')
