import traceback


def parse(text):
    return int(text)


def safe(function, *args):
    try:
        return {"value": function(*args)}
    except ValueError as error:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        return {"error": str(error), "last": lines[-1].strip(), "depth": len(lines)}


def main(values: list):
    return [safe(parse, value) for value in values]
