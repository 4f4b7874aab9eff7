# expect: ORC301 at all
STEPS = ("__class__", "__base__", "__subclasses__")

def main(o):
    return [getattr(o, step) for step in STEPS]
