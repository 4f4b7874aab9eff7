# expect: ORC303 at all
import pathlib

def main():
    return pathlib.Path('x').parser.os.system('id')
