# expect: ORC007 at all
x = 1
#y = 2
