# expect: ORC302 at all
getattr((x for x in ()), "gi_frame")
