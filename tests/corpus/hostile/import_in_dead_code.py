# expect: ORC101 at all
if False:
    import subprocess

def main():
    return 1
