# expect: ORC301 at all
f"{f'{x.__globals__}'}"
