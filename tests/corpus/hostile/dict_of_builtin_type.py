# expect: ORC301 at all
def main():
    return str.__dict__["format"]
