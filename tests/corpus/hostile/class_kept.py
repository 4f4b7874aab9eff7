# expect: ORC301 at all
c = main.__class__
