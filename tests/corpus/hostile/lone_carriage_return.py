# expect: ORC007 at all
# harmless commentresult = 1
