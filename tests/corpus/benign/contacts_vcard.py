from dataclasses import dataclass


@dataclass
class Contact:
    name: str
    email: str | None = None
    phones: tuple[str, ...] = ()

    def to_vcard(self) -> str:
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{self.name}"]
        if self.email:
            lines.append(f"EMAIL:{self.email}")
        lines += [f"TEL:{p}" for p in self.phones]
        return "\r\n".join([*lines, "END:VCARD", ""])


def parse(text):
    contacts, current = [], None
    for line in text.replace("\r\n", "\n").split("\n"):
        key, _, value = line.partition(":")
        match key.split(";")[0].upper():
            case "BEGIN":
                current = {"phones": []}
            case "FN" if current is not None:
                current["name"] = value
            case "EMAIL":
                current["email"] = value
            case "TEL":
                current["phones"].append(value)
            case "END":
                contacts.append(Contact(current["name"], current.get("email"), tuple(current["phones"])))
                current = None
    return contacts


card = Contact("Ada Lovelace", "ada@example.org", ("+44 1",))
result = parse(card.to_vcard()) == [card]
