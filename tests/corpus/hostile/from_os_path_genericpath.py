# expect: ORC104 at all
from os.path import genericpath
