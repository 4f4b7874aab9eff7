# expect: ORC601 at all
"{:>99999999999}".format(1)
