# expect: ORC104 at all
import statistics

def main():
    return statistics.sys.modules['os']
