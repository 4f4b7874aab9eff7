# expect: ORC301 at all
(1).__reduce_ex__(2)
