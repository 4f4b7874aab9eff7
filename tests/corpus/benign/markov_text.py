import random
from collections import defaultdict


def build_chain(text, order=2):
    words = text.split()
    chain = defaultdict(list)
    for i in range(len(words) - order):
        chain[tuple(words[i : i + order])].append(words[i + order])
    return chain


def generate(chain, length=20, seed=None):
    rng = random.Random(seed)
    state = rng.choice(sorted(chain))
    out = list(state)
    while len(out) < length:
        options = chain.get(tuple(out[-len(state):]))
        if not options:
            break
        out.append(rng.choice(options))
    return " ".join(out).capitalize() + "."


def main(text="one two three two three one two one two three four"):
    return generate(build_chain(text), 12, seed=1)
