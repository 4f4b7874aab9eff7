import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Settings:
    title: str
    limit: int = 10
    tags: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "Settings":
        known = {k: v for k, v in raw.items() if k in cls.__dataclass_fields__}
        known["tags"] = tuple(known.get("tags", ()))
        return cls(**known)


def main(path: str = "settings.toml"):
    file = Path("/vault") / path
    raw = tomllib.loads(file.read_text()) if file.exists() else {"title": "none", "extra": 1}
    settings = Settings.from_dict(raw)
    return {"title": settings.title, "limit": settings.limit, "tags": list(settings.tags)}
