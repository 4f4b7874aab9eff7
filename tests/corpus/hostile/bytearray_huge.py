# expect: ORC601 at all
x = bytearray(10**11)
