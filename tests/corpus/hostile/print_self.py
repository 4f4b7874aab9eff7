# expect: ORC301 at all
print.__self__
