def bowling(rolls):
    score = frame = i = 0
    while frame < 10:
        if rolls[i] == 10:
            score += 10 + sum(rolls[i + 1 : i + 3])
            i += 1
        elif sum(rolls[i : i + 2]) == 10:
            score += 10 + rolls[i + 2]
            i += 2
        else:
            score += sum(rolls[i : i + 2])
            i += 2
        frame += 1
    return score


assert bowling([10] * 12) == 300
assert bowling([9, 0] * 10) == 90
assert bowling([5] * 21) == 150
result = bowling([10, 7, 3, 9, 0, 10, 0, 8, 8, 2, 0, 6, 10, 10, 10, 8, 1])
