import math
import re


def reading_time(text, wpm=200):
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"!\[.*?\]\(.*?\)|<[^>]+>", " ", text)
    words = len(re.findall(r"\w+", text))
    minutes = math.ceil(words / wpm)
    return {"words": words, "minutes": minutes, "label": f"{minutes} min read"}


def main(text: str):
    return reading_time(text)
