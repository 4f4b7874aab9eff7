# expect: ORC501 at all
import base64

def main(run):
    return run(base64.b64decode(b"aW1wb3J0IG9zOyBvcy5zeXN0ZW0oJ2lkJyk=").decode())
