# expect: ORC301 at all
open.__self__
