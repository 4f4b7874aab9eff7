import colorsys


def hex_to_rgb(text):
    text = text.lstrip("#")
    return tuple(int(text[i : i + 2], 16) for i in (0, 2, 4))


def rgb_to_hex(rgb):
    return "#" + "".join(f"{round(c):02x}" for c in rgb)


def palette(base, n=5):
    h, l, s = colorsys.rgb_to_hls(*(c / 255 for c in hex_to_rgb(base)))
    return [rgb_to_hex(c * 255 for c in colorsys.hls_to_rgb((h + i / n) % 1.0, l, s)) for i in range(n)]


def main(base="#3366cc"):
    return palette(base)
