# expect: ORC104 at all
from queue import threading

threading.Thread(target=print).start()
