# expect: ORC201 at all
run = lambda text, f=exec: f(text)
