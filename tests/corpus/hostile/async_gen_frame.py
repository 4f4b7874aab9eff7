# expect: ORC302 at all
x.ag_frame
