students = {
    "Alice": [88, 92, 79],
    "Bob": [75, 64, 81],
    "Carla": [93, 97, 90],
}


def letter(score):
    if score >= 90:
        return "A"
    elif score >= 80:
        return "B"
    elif score >= 70:
        return "C"
    return "F"


report = []
for name, grades in students.items():
    average = sum(grades) / len(grades)
    report.append({"name": name, "average": round(average, 1), "letter": letter(average)})

report.sort(key=lambda r: r["average"], reverse=True)
for rank, row in enumerate(report, start=1):
    print(f"{rank}. {row['name']:<10} {row['average']:>5} {row['letter']}")
result = report
