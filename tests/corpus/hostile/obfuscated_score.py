# expect: ORC503 at all
A = "".join(chr(c) for c in [104, 105])
B = bytes.fromhex("6869").decode()
C = "ih"[::-1]
D = "".join(map(chr, [120, 121]))
E = "".join(chr(ord(c) ^ 1) for c in "hi")
result = A + B + C + D + E
