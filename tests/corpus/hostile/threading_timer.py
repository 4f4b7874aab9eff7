# expect: ORC401 at strict standard
import threading

threading.Timer(1, print).start()
