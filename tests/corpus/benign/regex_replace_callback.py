import re

UNITS = {"km": ("mi", 0.621371), "kg": ("lb", 2.20462), "cm": ("in", 0.393701)}


def convert(match: re.Match) -> str:
    value, unit = float(match["value"]), match["unit"]
    target, factor = UNITS[unit]
    return f"{match.group(0)} ({value * factor:.1f} {target})"


def camel_to_snake(name):
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def snake_to_camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def highlight(text, words):
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
    return pattern.sub(lambda m: f"=={m.group(1)}==", text)


def main(text="It weighs 5 kg and is 12.5 km away"):
    pattern = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>" + "|".join(UNITS) + ")")
    return pattern.sub(convert, text), camel_to_snake("getHTTPResponse"), snake_to_camel("a_b"), highlight("Fox fox", ["fox"])
