import heapq
import re
from collections import Counter
from string import punctuation

STOPWORDS = set("i me my we our you your he she it they a an the and but if or because as of at by for with".split())


def summarise(text, n=2):
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    words = [w.strip(punctuation) for w in text.lower().split()]
    freq = Counter(w for w in words if w and w not in STOPWORDS)
    top = max(freq.values(), default=1)
    weights = {w: c / top for w, c in freq.items()}

    scores = {}
    for i, sentence in enumerate(sentences):
        tokens = [w.strip(punctuation) for w in sentence.lower().split()]
        if 3 <= len(tokens) <= 40:
            scores[i] = sum(weights.get(t, 0) for t in tokens) / len(tokens)
    best = heapq.nlargest(n, scores, key=scores.get)
    return " ".join(sentences[i] for i in sorted(best))


def main(text: str, sentences: int = 2):
    return summarise(text, sentences) or text
