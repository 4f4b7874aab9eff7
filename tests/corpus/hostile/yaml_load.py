# expect: ORC401 at all
import yaml

def main(x):
    return yaml.load(x, Loader=yaml.UnsafeLoader)
