# expect: ORC301 at all
f"{x:{x.__class__}}"
