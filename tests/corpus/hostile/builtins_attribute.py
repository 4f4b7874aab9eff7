# expect: ORC203 at all
def main():
    return __builtins__.open('/etc/passwd')
