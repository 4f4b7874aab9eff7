# expect: ORC201 at all
[*map(eval, ["1"])]
