"""What a ``Database`` promises on each dialect: transactions that exclude each other, or nothing; forks; closing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from sqlalchemy import select

from orchestrator.records import Database, Records, RecordsError
from orchestrator.records.tables import META, VERSION
from tests.records.conftest import Where, as_argument
from tests.records.test_store import _ids, _in_threads, _set

COUNTER = META.c.key == "counter"


def add_one(database: Database) -> None:
    """Reads, decides and writes: right only if nobody writes between."""
    with database.writing() as connection:
        count = int(connection.scalar(select(META.c.value).where(COUNTER)) or 0)
        connection.execute(META.delete().where(COUNTER))
        connection.execute(META.insert().values(key="counter", value=str(count + 1)))


def counted(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(META.c.value).where(COUNTER)) or 0)


def test_writers_in_threads_exclude_each_other(database: Database) -> None:
    barrier = threading.Barrier(6)

    def count() -> None:
        barrier.wait(30)
        for _ in range(20):
            add_one(database)

    _in_threads(*[count] * 6)
    assert counted(database) == 120


ADDER = """
import sys
from orchestrator.records import Database
from tests.records.conftest import from_argument
from tests.records.test_database import add_one
with Database(from_argument(sys.argv[1])) as database:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(40):
        add_one(database)
"""


def test_writers_in_processes_exclude_each_other(database: Database, where: Where) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", ADDER, as_argument(where)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert (child.communicate(timeout=120)[1], child.returncode) == ("", 0)
    assert counted(database) == 120


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.reading() as connection:
        assert connection.scalar(select(META.c.value).where(COUNTER)) is None
        add_one(database)
        assert connection.scalar(select(META.c.value).where(COUNTER)) is None
    assert counted(database) == 1


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(RecordsError, match="there already"), database.writing() as connection:
        connection.execute(META.insert(), [{"key": "counter", "value": "7"}, {"key": "counter", "value": "8"}])
    assert counted(database) == 0
    add_one(database)
    assert counted(database) == 1


def test_what_would_wait_for_itself_is_refused(database: Database) -> None:
    with database.writing(), pytest.raises(RuntimeError, match="writing already"), database.writing():
        pass
    add_one(database)


def test_a_writer_that_does_not_let_go(database: Database, where: Where) -> None:
    with Database(where, busy_seconds=0.05) as impatient:
        with database.writing() as connection:
            connection.execute(META.insert().values(key="counter", value="1"))
            with pytest.raises(RecordsError, match="are locked by another process") as caught:
                add_one(impatient)
            assert caught.value.hint
            assert counted(impatient) == 0, "reading needs no lock"
        add_one(impatient)
    assert counted(database) == 2


def test_a_fork_does_not_disturb(database: Database) -> None:
    records = Records(database)
    records.add_set(_set("run"))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            records.add_set(_set("of the child"))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    records.add_set(_set("another"))
    assert sorted(_ids(records.sets())) == ["another", "of the child", "run"]


def test_closed(database: Database) -> None:
    database.close()
    database.close()
    for call in (database.version, database.size_bytes, database.vacuum, database.upgrade, lambda: counted(database)):
        with pytest.raises(RecordsError, match="are closed"):
            call()


def test_upkeep(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(META.insert(), [{"key": f"k{n}", "value": "x" * 10_000} for n in range(200)])
    full = database.size_bytes()
    assert database.rows()["meta"] == 201
    assert database.rows()["change_sets"] == 0
    with database.writing() as connection:
        connection.execute(META.delete().where(META.c.key.like("k%")))
    database.vacuum()
    assert database.version() == VERSION
    if database.dialect == "sqlite":  # a server keeps the space for what comes next
        assert database.size_bytes() < full / 4


def test_a_start_does_not_import_alembic(database: Database, where: Where) -> None:
    code = (
        "import sys\nfrom orchestrator.records import Database\nfrom tests.records.conftest import from_argument\n"
        "Database(from_argument(sys.argv[1])).close()\nsys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, as_argument(where)], check=False).returncode == 0
