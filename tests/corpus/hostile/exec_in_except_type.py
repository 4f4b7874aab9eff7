# expect: ORC201 at all
try:
    pass
except exec:
    pass
