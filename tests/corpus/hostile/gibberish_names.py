# expect: ORC503 at all
def _0x1a2b(_0x3c4d, IlIlIlI, OOOOOO0):
    _0x5e6f = _0x3c4d
    lIlIlIl = IlIlIlI
    O0O0O0 = OOOOOO0
    return _0x5e6f, lIlIlIl, O0O0O0

result = _0x1a2b(1, 2, 3)
