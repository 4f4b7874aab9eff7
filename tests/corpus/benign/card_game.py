import random
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from itertools import product


class Suit(IntEnum):
    CLUBS = 0
    DIAMONDS = 1
    HEARTS = 2
    SPADES = 3

    def __str__(self):
        return "♣♦♥♠"[self]


@dataclass(frozen=True, order=True)
class Card:
    rank: int
    suit: Suit

    def __str__(self):
        return f"{'  23456789TJQKA'[self.rank]}{self.suit}"


def deck(seed=None):
    cards = [Card(r, s) for r, s in product(range(2, 15), Suit)]
    random.Random(seed).shuffle(cards)
    return cards


def classify(hand):
    counts = sorted(Counter(c.rank for c in hand).values(), reverse=True)
    flush = len({c.suit for c in hand}) == 1
    ranks = sorted(c.rank for c in hand)
    straight = ranks == list(range(ranks[0], ranks[0] + 5))
    match counts:
        case _ if straight and flush:
            return "straight flush"
        case [4, *_]:
            return "four of a kind"
        case [3, 2]:
            return "full house"
        case [3, *_]:
            return "three of a kind"
        case [2, 2, *_]:
            return "two pair"
        case [2, *_]:
            return "pair"
    return "flush" if flush else "straight" if straight else "high card"


def main(seed: int = 4):
    hand = deck(seed)[:5]
    return {"hand": " ".join(map(str, sorted(hand))), "kind": classify(hand)}
