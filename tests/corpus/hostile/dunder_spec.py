# expect: ORC203 at all
__spec__
