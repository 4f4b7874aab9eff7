# expect: ORC201 at all
{"e": eval}["e"]("1")
