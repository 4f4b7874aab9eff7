QUESTIONS = [
    {"q": "Capital of France?", "options": ["Rome", "Paris", "Bonn"], "answer": 1},
    {"q": "6 x 7?", "options": ["42", "36"], "answer": 0},
]


def score(answers):
    points = 0
    review = []
    for question, given in zip(QUESTIONS, answers, strict=True):
        correct = given == question["answer"]
        points += correct
        review.append(("✓ " if correct else "✗ ") + question["q"])
    return points, review


def main(answers: list[int]):
    points, review = score(answers)
    percent = 100 * points // len(QUESTIONS)
    print(*review, sep="\n")
    return f"You scored {points}/{len(QUESTIONS)} ({percent}%)"
