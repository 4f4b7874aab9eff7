# expect: ORC009 at all
οs = 1
