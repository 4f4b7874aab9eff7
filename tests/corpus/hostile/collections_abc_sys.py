# expect: ORC104 at all
import collections.abc as c
c.sys
