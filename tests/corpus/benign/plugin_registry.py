class Plugin:
    registry = {}

    def __init_subclass__(cls, /, name=None, **kwargs):
        super().__init_subclass__(**kwargs)
        Plugin.registry[name or cls.__name__.lower()] = cls

    def run(self, text):
        raise NotImplementedError


class Upper(Plugin):
    def run(self, text):
        return text.upper()


class Reverse(Plugin, name="rev"):
    def run(self, text):
        return text[::-1]


def register(func):
    HOOKS.append(func)
    return func


HOOKS = []


@register
def strip(text):
    return text.strip()


def main(text=" abc ", steps=("upper", "rev")):
    for hook in HOOKS:
        text = hook(text)
    for step in steps:
        text = Plugin.registry[step]().run(text)
    return text
