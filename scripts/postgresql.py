#!/usr/bin/env python3
"""``make postgresql``: PostgreSQL's programs, with which the test suite starts a server of its own.

    postgresql.py install   unless they are there: install Debian's or Ubuntu's package, without starting its service
    postgresql.py status    print where they are; exit code 1, and what to do, where there are none

The standard library alone, like ``engine.py``. The suite looks in the same places (``tests/support/postgres.py``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import engine


def say(message: str) -> None:
    sys.stderr.write(f"postgresql: {message}\n")


def fail(message: str) -> NoReturn:
    say(message)
    raise SystemExit(1)


def programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path:
        found = [Path(on_path)]
    return found[-1].parent if found else None


def install() -> None:
    if programs() is not None:
        return
    apt = shutil.which("apt-get", path=engine.SYSTEM_PATH)
    if apt is None:
        fail("this is no Debian or Ubuntu: install PostgreSQL yourself, so that initdb is on the path")
    if os.geteuid() != 0:
        through_sudo()
        return
    say("installing postgresql with apt-get (--no-install-recommends), without starting its service")
    environment = {**os.environ, "PATH": engine.SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    with engine.services_left_off():
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "postgresql"]):
            subprocess.run([apt, *arguments], stdout=sys.stderr, env=environment, check=False)  # noqa: S603
    if programs() is None:
        fail("apt-get could not install postgresql (see above)")


def through_sudo() -> None:
    command = [sys.executable, str(Path(__file__).resolve()), "install"]
    sudo = shutil.which("sudo", path=engine.SYSTEM_PATH)
    if sudo is None:
        fail("installing it takes root rights: run `make postgresql` as root, or install sudo")
    say("root rights are needed, through sudo: " + " ".join(command))
    done = subprocess.run([sudo, *([] if sys.stdin.isatty() else ["--non-interactive"]), *command], check=False)  # noqa: S603
    if done.returncode != 0:
        fail("that did not work (see above): run `make postgresql` as root")


def status() -> None:
    found = programs()
    if found is None:
        fail("is not installed, so what needs it is not tested; `make postgresql` installs it")
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install"]:
            install()
        case ["status"]:
            status()
        case _:
            fail("usage: postgresql.py install|status")
