# expect: ORC501 at all
def main(o):
    return getattr(o, "%sbase%s" % ("__", "__"))
