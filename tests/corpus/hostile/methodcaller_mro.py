# expect: ORC302 at all
from operator import methodcaller
methodcaller("mro")(int)
