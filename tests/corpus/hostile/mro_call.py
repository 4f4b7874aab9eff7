# expect: ORC302 at all
int.mro()
