def levenshtein(a: str, b: str) -> int:
    """Compute the edit distance between two strings using dynamic programming."""
    if len(a) < len(b):
        a, b = b, a
    previous = list(range(len(b) + 1))
    for i, ca in enumerate(a, start=1):
        current = [i]
        for j, cb in enumerate(b, start=1):
            insertions = previous[j] + 1
            deletions = current[j - 1] + 1
            substitutions = previous[j - 1] + (ca != cb)
            current.append(min(insertions, deletions, substitutions))
        previous = current
    return previous[-1]


def closest(word, candidates):
    return min(candidates, key=lambda c: (levenshtein(word, c), c))


result = {
    "kitten": levenshtein("kitten", "sitting"),
    "best": closest("pyhton", ["python", "typhoon", "java"]),
}
