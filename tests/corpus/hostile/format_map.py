# expect: ORC304 at all
def main(x):
    return '{x.__class__}'.format_map({'x': x})
