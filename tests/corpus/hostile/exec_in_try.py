# expect: ORC201 at all
try:
    exec
except NameError: pass
