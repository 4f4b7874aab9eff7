# expect: ORC602 at strict
import re
re.compile(r"(.*)*x")
