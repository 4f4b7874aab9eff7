import sys
import traceback
import warnings


class RetryableError(Exception):
    pass


def risky(n):
    if n == 0:
        raise ZeroDivisionError("n is zero")
    if n < 0:
        raise RetryableError(f"negative: {n}")
    warnings.warn("slow path", stacklevel=2)
    return 10 / n


def attempt(n):
    try:
        return {"ok": risky(n)}
    except RetryableError as e:
        e.add_note("try a positive number")
        return {"retry": str(e), "notes": e.__notes__}
    except (ZeroDivisionError, ArithmeticError) as e:
        kind, value, _ = sys.exc_info()
        return {"error": kind.__name__, "message": str(value), "lines": len(traceback.format_exc().splitlines()), "args": e.args}
    finally:
        print(f"attempted {n}")


def main():
    warnings.simplefilter("ignore")
    return [attempt(n) for n in (2, 0, -1)]
