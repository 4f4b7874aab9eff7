# expect: ORC401 at relaxed
import os
m = os
n = m

def main():
    return n.fork()
