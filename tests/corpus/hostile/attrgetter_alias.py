# expect: ORC301 at all
from operator import attrgetter as a
b = a
b("__class__")
