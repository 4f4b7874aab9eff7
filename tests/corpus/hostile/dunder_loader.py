# expect: ORC203 at all
__loader__
