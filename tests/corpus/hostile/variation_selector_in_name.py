# expect: ORC011 at all
user︀ = 1
user = 2
result = user︀
