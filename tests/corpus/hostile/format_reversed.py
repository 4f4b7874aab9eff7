# expect: ORC304 at all
"}__ssalc__.0{"[::-1].format(1)
