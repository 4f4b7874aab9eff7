# expect: ORC104 at all
import os.path as p
p.os.system("id")
