# expect: ORC302 at all
class Catch:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.space = trace.tb_frame.f_builtins
        return True
