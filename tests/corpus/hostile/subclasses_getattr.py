# expect: ORC301 at all
getattr(object, "__subclasses__")()
