# expect: ORC101 at all
def a():
    def b():
        import ssl
        return ssl
    return b
