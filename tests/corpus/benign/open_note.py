def main(note):
    with open(f"/vault/{note}", encoding="utf-8") as handle:
        lines = handle.readlines()
    with open("/vault/out.md", "w", encoding="utf-8") as out:
        out.writelines(line.upper() for line in lines)
    return len(lines)
