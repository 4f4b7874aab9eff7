# expect: ORC304 at all
("{0." + "_" * 2 + "class" + "_" * 2 + "}").format(1)
