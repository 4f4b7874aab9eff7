# expect: ORC501 at all
CODE = "imp" + "ort o" + "s; os.sys" + "tem('id')"

def main(run):
    return run(CODE)
