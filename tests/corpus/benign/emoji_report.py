STATUS = {"ok": "✅", "warn": "⚠️", "fail": "❌", "star": "⭐️"}


def bar(done, total, width=20):
    filled = int(width * done / total) if total else 0
    return "█" * filled + "░" * (width - filled)


def main(checks: dict):
    lines = ["📊 Report", "═" * 30]
    for name, state in checks.items():
        lines.append(f"{STATUS.get(state, '❓')} {name:<15} → {state}")
    good = sum(1 for s in checks.values() if s == "ok")
    lines.append(f"{bar(good, len(checks))} {good}/{len(checks)} 🎉")
    return "\n".join(lines)
