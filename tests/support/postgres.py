"""A PostgreSQL server for the tests alone: in a directory of its own, on a Unix socket, as an unprivileged user.

Its programs are Debian's (`apt-get install postgresql`). It syncs nothing, and is ended by its own pid.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from pydantic import SecretStr

from orchestrator.records.database import Database

START_SECONDS = 60
WANTS_PASSWORD = "guarded"  # the only role that does
PASSWORD = "pg-s3cret-of-the-tests"
ACCESS = f"local all {WANTS_PASSWORD} scram-sha-256\nlocal all all trust\n"


def programs() -> Path | None:
    """The directory of Debian's newest PostgreSQL, or the one on the path; None: it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found and (on_path := shutil.which("initdb")):
        found = [Path(on_path)]
    return found[-1].parent if found else None


class PostgresOfTests:
    """Started by the constructor, in ``home``, which it makes."""

    def __init__(self, home: Path, binaries: Path) -> None:
        self._home, self._binaries = home, binaries
        # PostgreSQL refuses to run as root. Debian's package makes this user.
        self._as_user: dict[str, Any] = {}
        home.mkdir(mode=0o755)
        if os.geteuid() == 0:
            self._as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(home, "postgres", "postgres")
        self._numbers = itertools.count()
        self._run("initdb", "-D", str(home / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync",
                  "--locale=C.UTF-8")  # fmt: skip
        self._run("tee", str(home / "data/pg_hba.conf"), text=ACCESS)
        self.start()
        try:
            self._prepare()
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(WANTS_PASSWORD), PASSWORD)
        with self.connect() as connection:
            connection.execute(role)
        self._template = self.create("template0")
        with Database(self.url(self._template), any_version=True) as database:
            database.upgrade()

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        path = self._binaries / program
        subprocess.run(
            [path if path.exists() else program, *arguments],
            input=text.encode(), cwd=self._home, check=True, capture_output=True, **self._as_user,
        )  # fmt: skip

    # --- the server ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when it answers."""
        options = ("listen_addresses=", "fsync=off", "max_connections=60", "shared_buffers=16MB")
        command = [str(self._binaries / "postgres"), "-D", str(self._home / "data"), "-k", str(self._home)]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(word for option in options for word in ("-c", option))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home, **self._as_user,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(psycopg.OperationalError):
                self.connect().close()
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                raise RuntimeError((self._home / "log").read_text())
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError("PostgreSQL does not answer")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """At once: connections are cut off. (SIGQUIT: as if it had crashed.) Idempotent."""
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(START_SECONDS)
            finally:
                self._process.kill()

    # --- its databases ---------------------------------------------------------------------------------------------

    def url(self, database: str, *, user: str = "postgres", password: str = "") -> SecretStr:
        secret = f":{password}" if password else ""
        return SecretStr(f"postgresql+psycopg://{user}{secret}@/{database}?host={self._home}")

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(host=str(self._home), user="postgres", dbname=database, autocommit=True)

    def create(self, template: str = "") -> str:
        """A database of its own for a test, by default with our tables; its name."""
        name = f"test{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template or self._template)))
        return name

    def drop(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
