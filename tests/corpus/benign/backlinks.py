from pathlib import Path
import re

LINK = re.compile(r"\[\[([^\]|#]+)(?:#[^\]|]*)?(?:\|[^\]]*)?\]\]")


def build(vault: Path):
    outgoing = {}
    for path in vault.glob("**/*.md"):
        outgoing[path.stem] = {m.strip() for m in LINK.findall(path.read_text("utf-8"))}
    incoming = {name: set() for name in outgoing}
    for source, targets in outgoing.items():
        for target in targets:
            incoming.setdefault(target, set()).add(source)
    return outgoing, incoming


def main():
    outgoing, incoming = build(Path("/vault"))
    orphans = sorted(n for n in outgoing if not incoming[n] and not outgoing[n])
    broken = {t: sorted(s) for t, s in incoming.items() if t not in outgoing}
    return {"orphans": orphans, "broken": broken, "hubs": sorted(incoming, key=lambda n: -len(incoming[n]))[:10]}
