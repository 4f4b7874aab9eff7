# expect: ORC205 at all
def main():
    return vars(type)["mro"]
