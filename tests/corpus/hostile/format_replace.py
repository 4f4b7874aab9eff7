# expect: ORC304 at all
"{0.XXclassXX}".replace("X", "_").format(1)
