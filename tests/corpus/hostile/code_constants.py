# expect: ORC302 at all
def main(code):
    return code.co_code
