# expect: ORC009 at all
x.rеad()
