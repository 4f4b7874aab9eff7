# expect: ORC104 at all
from enum import bltns
bltns.exec("1")
