# expect: ORC201 at all
(eval, value) = (None, eval('1'))
