# expect: ORC602 at strict
import re
re.match(r"(a+)+$", "a"*40)
