# expect: ORC301 at all
getattr((), str("__class__"))
