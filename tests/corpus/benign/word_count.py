"""Counts words of a text; eval, exec and os.system are only words here."""
from collections import Counter


def main(text: str, top: int = 10) -> dict:
    words = [w.strip(".,;:!?\"'()").lower() for w in text.split()]
    counts = Counter(w for w in words if w)
    return {"total": sum(counts.values()), "top": counts.most_common(top)}
