def parse_front_matter(text):
    if not text.startswith("---"):
        return {}, text
    _, header, body = text.split("---", 2)
    meta = {}
    key = None
    for line in header.strip().splitlines():
        if line.startswith("  - ") and key:
            meta.setdefault(key, [])
            if not isinstance(meta[key], list):
                meta[key] = []
            meta[key].append(line[4:].strip())
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip()
            value = value.strip().strip("\"'")
            if value.lower() in ("true", "false"):
                value = value.lower() == "true"
            elif value.isdigit():
                value = int(value)
            meta[key] = value
    return meta, body.lstrip("\n")


def dump_front_matter(meta):
    lines = ["---"]
    for key, value in meta.items():
        if isinstance(value, (list, tuple)):
            lines.append(f"{key}:")
            lines.extend(f"  - {v}" for v in value)
        else:
            lines.append(f"{key}: {str(value).lower() if isinstance(value, bool) else value}")
    lines.append("---")
    return "\n".join(lines) + "\n"


def main(text="---\ntitle: A\ntags:\n  - x\n---\nBody"):
    meta, body = parse_front_matter(text)
    meta["reviewed"] = True
    return dump_front_matter(meta) + body
