# expect: ORC101 at all
import socket

def main():
    return socket.gethostname()
