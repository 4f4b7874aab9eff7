# expect: ORC009 at all
result = dict(nаme=1)
