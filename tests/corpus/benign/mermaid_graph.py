def mermaid(edges, direction="LR"):
    ids = {}

    def node(name):
        return ids.setdefault(name, f"n{len(ids)}")

    lines = [f"graph {direction}"]
    for source, target, *label in edges:
        arrow = f"-->|{label[0]}|" if label else "-->"
        lines.append(f"    {node(source)} {arrow} {node(target)}")
    lines[1:1] = [f'    {i}["{n}"]' for n, i in ids.items()]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def main(edges: list):
    return mermaid(edges)
