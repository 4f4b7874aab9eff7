# expect: ORC301 at all
def main(o):
    for name in ("__class__", "__base__"):
        o = getattr(o, name)
    return o
