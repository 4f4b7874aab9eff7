# expect: ORC201 at all
f = lambda code, run=exec: run(code)
