import traceback


class SkillProblem(Exception):
    def __init__(self, message, *, code=1):
        super().__init__(message)
        self.code = code


def main(value):
    try:
        return 1 / value
    except ZeroDivisionError as error:
        try:
            raise SkillProblem("division", code=2) from error
        except SkillProblem as problem:
            return {"code": problem.code, "cause": str(problem.__cause__), "text": traceback.format_exc()}
