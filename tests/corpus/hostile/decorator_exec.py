# expect: ORC201 at all
@exec
@str
class Payload:
    pass
