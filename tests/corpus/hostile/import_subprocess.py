# expect: ORC101 at all
import subprocess

def main():
    return subprocess.run(['id'])
