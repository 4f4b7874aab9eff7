ROOMS = {
    "hall": {"text": "A dark hall.", "exits": {"north": "library", "east": "kitchen"}, "items": ["lamp"]},
    "library": {"text": "Dusty books.", "exits": {"south": "hall"}, "items": ["map"]},
    "kitchen": {"text": "It smells of soup.", "exits": {"west": "hall"}, "items": []},
}


class Game:
    def __init__(self):
        self.room = "hall"
        self.bag = set()
        self.out = []

    def look(self, *_):
        room = ROOMS[self.room]
        self.out.append(room["text"] + (f" You see: {', '.join(room['items'])}." if room["items"] else ""))

    def go(self, way="", *_):
        target = ROOMS[self.room]["exits"].get(way)
        if target:
            self.room = target
            self.look()
        else:
            self.out.append("You can't go that way.")

    def take(self, item="", *_):
        items = ROOMS[self.room]["items"]
        if item in items:
            items.remove(item)
            self.bag.add(item)
            self.out.append(f"You take the {item}.")
        else:
            self.out.append(f"There is no {item} here.")

    def play(self, commands):
        actions = {"look": self.look, "go": self.go, "take": self.take}
        for line in commands:
            verb, *rest = line.lower().split()
            actions.get(verb, lambda *_: self.out.append("What?"))(*rest)
        return self


def main(commands: list):
    game = Game().play(commands)
    return {"room": game.room, "bag": sorted(game.bag), "out": game.out}
