# expect: ORC009 at all
def main(х):
    ас = 1
    оср = 2
    return ас + оср, асе(х)

def асе(х):
    return х

ace = 1
