# expect: ORC304 at all
("{0." + chr(95) + chr(95) + "class__}").format(1)
