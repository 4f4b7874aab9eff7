from collections import deque

MAZE = [
    "S.#.....",
    ".##.###.",
    "....#...",
    ".##...#E",
]


def find(maze, symbol):
    for r, row in enumerate(maze):
        c = row.find(symbol)
        if c >= 0:
            return r, c
    raise LookupError(symbol)


def bfs(maze):
    start, goal = find(maze, "S"), find(maze, "E")
    came_from = {start: None}
    queue = deque([start])
    while queue:
        r, c = here = queue.popleft()
        if here == goal:
            break
        for nr, nc in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            inside = 0 <= nr < len(maze) and 0 <= nc < len(maze[0])
            if inside and maze[nr][nc] != "#" and (nr, nc) not in came_from:
                came_from[nr, nc] = here
                queue.append((nr, nc))
    else:
        return None
    path = []
    while here is not None:
        path.append(here)
        here = came_from[here]
    return path[::-1]


def main():
    path = bfs(MAZE)
    grid = [list(row) for row in MAZE]
    for r, c in path[1:-1]:
        grid[r][c] = "*"
    return {"steps": len(path) - 1, "grid": ["".join(row) for row in grid]}
