# expect: ORC001 at all
return 1
