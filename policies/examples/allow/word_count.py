# level: strict
import re
from collections import Counter


def main(text: str) -> dict[str, int]:
    return dict(Counter(re.findall(r"\w+", text.lower())).most_common(10))
