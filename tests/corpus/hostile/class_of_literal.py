# expect: ORC301 at all
def main():
    return [].__class__("ab")
