# expect: ORC201 at all
type("X", (), {"__del__": exec})
