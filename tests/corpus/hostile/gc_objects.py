# expect: ORC101 at all
import gc

def main():
    return gc.get_objects()
