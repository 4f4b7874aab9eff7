"""Spaced repetition (SM-2)."""
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass
class Card:
    front: str
    back: str
    ease: float = 2.5
    interval: int = 0
    repetitions: int = 0
    due: date = date(2024, 1, 1)

    def review(self, quality: int, today: date) -> None:
        if not 0 <= quality <= 5:
            raise ValueError("quality must be within 0..5")
        if quality < 3:
            self.repetitions, self.interval = 0, 1
        else:
            self.interval = {0: 1, 1: 6}.get(self.repetitions, round(self.interval * self.ease))
            self.repetitions += 1
        self.ease = max(1.3, self.ease + 0.1 - (5 - quality) * (0.08 + (5 - quality) * 0.02))
        self.due = today + timedelta(days=self.interval)


def main():
    card, today = Card("hola", "hello"), date(2024, 1, 1)
    for quality in (5, 4, 2, 5):
        card.review(quality, today)
        today = card.due
    return {"due": card.due.isoformat(), "ease": round(card.ease, 2)}
