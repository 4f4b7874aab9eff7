# expect: ORC401 at all
import os

def main():
    os.execvp("sh", ["sh"])
