# expect: ORC601 at all
f"{1:>99999999999}"
