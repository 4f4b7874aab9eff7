# expect: ORC201 at all
(lambda e: e("1"))(eval)
