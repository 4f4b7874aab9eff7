"""Everything here is found in the source, under whatever name; no sandbox is even asked for."""

import subprocess as s


def main():
    shell = s.run
    loader = ().__class__.__base__.__subclasses__()
    return eval("shell(['id'])"), loader
