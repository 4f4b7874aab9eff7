import math


def bar_chart(data: dict, width: int = 40) -> str:
    top = max(data.values())
    label = max(map(len, data))
    return "\n".join(f"{k:>{label}} | {'█' * round(v / top * width)} {v:,}" for k, v in data.items())


def plot(f, x0, x1, width=60, height=12):
    xs = [x0 + (x1 - x0) * i / (width - 1) for i in range(width)]
    ys = [f(x) for x in xs]
    low, high = min(ys), max(ys)
    grid = [[" "] * width for _ in range(height)]
    for i, y in enumerate(ys):
        grid[height - 1 - int((y - low) / (high - low) * (height - 1))][i] = "•"
    return "\n".join("".join(row).rstrip() for row in grid)


def sparkline(values):
    ticks = "▁▂▃▄▅▆▇█"
    low, span = min(values), (max(values) - min(values)) or 1
    return "".join(ticks[int((v - low) / span * (len(ticks) - 1))] for v in values)


print(bar_chart({"apples": 1200, "pears": 300}))
print(plot(math.sin, 0, 2 * math.pi))
result = sparkline([1, 5, 22, 13, 53])
