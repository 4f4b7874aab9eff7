# expect: ORC101
# level: relaxed
import pickle


def main(text: str) -> object:
    return pickle.loads(text.encode())
