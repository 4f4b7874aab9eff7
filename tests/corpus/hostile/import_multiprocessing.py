# expect: ORC101 at all
from multiprocessing import Process

def main():
    Process(target=print).start()
