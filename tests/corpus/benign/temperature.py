#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Temperature converter."""

CONVERSIONS = {
    ("C", "F"): lambda t: t * 9 / 5 + 32,
    ("F", "C"): lambda t: (t - 32) * 5 / 9,
    ("C", "K"): lambda t: t + 273.15,
    ("K", "C"): lambda t: t - 273.15,
}


def convert(value, source, target):
    if source == target:
        return value
    try:
        return CONVERSIONS[source, target](value)
    except KeyError:
        if "C" in (source, target):
            raise ValueError(f"cannot convert {source}°→{target}°") from None
        return convert(convert(value, source, "C"), "C", target)


def main(value: float = 100.0, source="C", target="F"):
    return round(convert(value, source, target), 2)
