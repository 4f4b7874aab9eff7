# expect: ORC401 at strict standard
import threading

def main():
    threading.Thread(target=print).start()
