# not strict: templates out of a dict
MESSAGES = {
    "en": {"greet": "Hello, {name}!", "bye": "Goodbye, {name}. You have {count} message{s}."},
    "de": {"greet": "Hallo, {name}!", "bye": "Tschüss, {name}. {count} Nachricht{s}."},
}


class Translator:
    def __init__(self, language="en", fallback="en"):
        self.table = MESSAGES.get(language, MESSAGES[fallback])

    def __call__(self, key, **values):
        template = self.table.get(key, key)
        try:
            return template.format(**values)
        except KeyError as missing:
            return f"[{key}: missing {missing}]"


def main(language="de", name="Ada"):
    t = Translator(language)
    return [t("greet", name=name), t("bye", name=name, count=2, s="en"), t("bye", name=name), t("unknown")]
