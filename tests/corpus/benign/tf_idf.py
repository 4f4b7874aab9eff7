import math
from collections import Counter


class TfIdf:
    def __init__(self, documents):
        self.documents = [Counter(d.lower().split()) for d in documents]
        self.n = len(self.documents)
        self.df = Counter(term for doc in self.documents for term in doc)

    def idf(self, term):
        return math.log((1 + self.n) / (1 + self.df[term])) + 1

    def vector(self, doc):
        total = sum(doc.values())
        return {t: c / total * self.idf(t) for t, c in doc.items()}

    def search(self, query, k=3):
        q = self.vector(Counter(query.lower().split()))
        ranked = sorted(
            ((self.cosine(q, self.vector(d)), i) for i, d in enumerate(self.documents)), reverse=True
        )
        return [(i, round(s, 3)) for s, i in ranked[:k] if s > 0]

    @staticmethod
    def cosine(a, b):
        dot = sum(v * b.get(t, 0) for t, v in a.items())
        norm = math.hypot(*a.values()) * math.hypot(*b.values())
        return dot / norm if norm else 0.0


def main(query="cat"):
    return TfIdf(["the cat sat", "a dog barked", "cat and dog"]).search(query)
