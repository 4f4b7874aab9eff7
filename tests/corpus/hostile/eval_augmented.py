# expect: ORC201 at all
eval += 1
