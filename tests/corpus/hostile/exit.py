# expect: ORC201 at all
exit(0)
