# expect: ORC302 at all
(x for x in ()).gi_frame
