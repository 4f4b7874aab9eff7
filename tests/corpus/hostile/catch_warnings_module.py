# expect: ORC302 at all
import warnings

def main():
    return warnings.catch_warnings()._module
