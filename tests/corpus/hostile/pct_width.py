# expect: ORC601 at all
"%99999999999d" % 1
