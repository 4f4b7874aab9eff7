# expect: ORC101 at all
import pkgutil

def main():
    return pkgutil.resolve_name('os:system')
