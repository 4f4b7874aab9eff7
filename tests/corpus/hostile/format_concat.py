# expect: ORC304 at all
("{0.__cla" + "ss__}").format(1)
