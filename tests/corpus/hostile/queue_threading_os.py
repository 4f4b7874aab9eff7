# expect: ORC104 at all
from queue import threading

def main():
    return threading
