# expect: ORC304 at all
class X: pass
X().vformat("{0.__class__}", (1,), {})
