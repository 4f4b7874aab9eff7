import collections
import re
import string
import sys


class TextAnalyzer:
    """Analyzes text: word counts, sentence lengths, readability."""

    STOP_WORDS = {"the", "a", "an", "and", "or", "of", "to", "in", "is", "it"}

    def __init__(self, text):
        self.text = text
        self.words = re.findall(r"\b[a-zA-Z']+\b", text.lower())
        self.sentences = [s.strip() for s in re.split(r"[.!?]+", text) if s.strip()]

    def word_frequency(self, top=10):
        counter = collections.Counter(w for w in self.words if w not in self.STOP_WORDS)
        return counter.most_common(top)

    def average_sentence_length(self):
        if not self.sentences:
            return 0.0
        return len(self.words) / len(self.sentences)

    @staticmethod
    def count_syllables(word):
        word = word.lower().strip(string.punctuation)
        groups = re.findall(r"[aeiouy]+", word)
        count = len(groups)
        if word.endswith("e") and count > 1:
            count -= 1
        return max(count, 1)

    def flesch(self):
        syllables = sum(self.count_syllables(w) for w in self.words)
        try:
            return 206.835 - 1.015 * self.average_sentence_length() - 84.6 * syllables / len(self.words)
        except ZeroDivisionError:
            return None


def main(text=""):
    if not text:
        print("Error: no text given", file=sys.stderr)
        return None
    analyzer = TextAnalyzer(text)
    return {"top": analyzer.word_frequency(5), "flesch": analyzer.flesch()}
