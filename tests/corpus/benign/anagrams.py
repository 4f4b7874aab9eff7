from collections import defaultdict


def group_anagrams(words):
    groups = defaultdict(list)
    for word in words:
        groups["".join(sorted(word.lower()))].append(word)
    return [group for group in groups.values() if len(group) > 1]


def main(words=("listen", "silent", "enlist", "google", "elgoog", "abc")):
    for group in sorted(group_anagrams(words), key=len, reverse=True):
        print(", ".join(group))
    return group_anagrams(words)
