# expect: ORC201 at all
import base64

def main():
    return exec(base64.b64decode('cGFzcw=='))
