class Device:
    def __init__(self, os, sys):
        self.os = os
        self.sys = sys

    def system(self):
        return f"{self.os}/{self.sys}"


def main():
    return Device("linux", "x").system()
