# expect: ORC101 at all
def main():
    try:
        import json
    except ImportError:
        import pickle as json
    return json.dumps(1)
