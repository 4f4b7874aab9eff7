# expect: ORC104 at all
import json

def main():
    return json.codecs.builtins.eval('1')
