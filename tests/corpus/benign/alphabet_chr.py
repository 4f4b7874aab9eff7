letters = "".join(chr(i) for i in range(ord("a"), ord("z") + 1))
columns = [chr(65 + i) for i in range(26)]
vowels = set("aeiou")
consonants = "".join(c for c in letters if c not in vowels)


def excel_column(n):
    name = ""
    while n > 0:
        n, rest = divmod(n - 1, 26)
        name = chr(65 + rest) + name
    return name


def chessboard():
    return [f"{chr(97 + x)}{y + 1}" for y in range(8) for x in range(8)]


result = {"letters": letters, "cons": consonants, "cols": columns[:3], "col": excel_column(703), "n": len(chessboard())}
