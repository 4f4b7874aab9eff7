# expect: ORC501 at all
import base64

def main(o):
    return getattr(o, base64.b64decode("X19jbGFzc19f").decode())
