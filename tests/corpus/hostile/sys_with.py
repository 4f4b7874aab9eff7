# expect: ORC402 at all
import sys, contextlib
with contextlib.nullcontext(sys) as s: s.modules
