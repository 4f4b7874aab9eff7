# expect: ORC101 at all
from pydoc import locate

def main():
    return locate('os.system')('id')
