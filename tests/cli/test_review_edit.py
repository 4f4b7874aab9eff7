"""``orchestrator review edit`` through the real command line, with editors that are small programs."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from orchestrator.records import ReviewEdit
from orchestrator.vault.history import digest_of
from tests.cli.test_review import HOSTILE, OBEYED, Office, office, skill  # noqa: F401 - the fixture
from tests.vault.conftest import base  # noqa: F401 - the fixture

# Says what it was given, and in what: the names, the modes and the content of its files and of their directory.
SPY = """
import json, os, sys
files = sys.argv[2:]
facts = {
    "names": [os.path.basename(file) for file in files],
    "modes": [oct(os.stat(file).st_mode & 0o777) for file in files],
    "directory": oct(os.stat(os.path.dirname(files[0])).st_mode & 0o777),
    "where": os.path.dirname(files[0]),
    "content": [open(file, "rb").read().decode() for file in files],
}
open(sys.argv[1], "w").write(json.dumps(facts))
"""
SAVE = "import sys\nfor file in sys.argv[1:]: open(file, 'a').write('a person\\n')\n"
REPLACE = """
import os, sys
for file in sys.argv[1:]:
    open(file + "~", "w").write("saved by a rename\\n")
    os.rename(file + "~", file)
"""


def editor(tmp_path: Path, code: str, *arguments: str) -> str:
    program = tmp_path / "an editor.py"
    program.write_text(code)
    return shlex.join([sys.executable, str(program), *arguments])


def test_what_is_saved_is_what_waits_then(office: Office, tmp_path: Path) -> None:  # noqa: F811
    review = office.held()
    result = office.call("review", "edit", review, "--editor", editor(tmp_path, SAVE), "--by", "Ada")
    assert result.exit_code == 0, result.output
    assert "still waits" in result.stdout
    assert "1.txt is Inbox/a.md" in result.stderr
    assert "+omegaa person\n" in office.call("review", "diff", review).stdout
    assert [each["by"] for each in office.json("review", "show", review)["edits"]] == ["Ada"]
    assert (office.notes / "Inbox/a.md").read_text() == "alpha"
    assert office.call("review", "approve", review).exit_code == 0
    assert (office.notes / "Inbox/a.md").read_text() == "omegaa person\n"
    assert (office.notes / "Inbox/new.md").read_text() == "new\na person\n"


def test_one_note_alone_and_saving_by_a_rename(office: Office, tmp_path: Path) -> None:  # noqa: F811
    review = office.held()
    path = str(office.notes / "Inbox/new.md")
    command = ("review", "edit", review, "--path", path, "--editor", editor(tmp_path, REPLACE))
    document = office.json(*command)
    assert document["edited"] == ["Inbox/new.md"]
    assert document["digest"] == office.json("review", "show", review)["digest"]
    assert office.call("review", "approve", review).exit_code == 0
    assert (office.notes / "Inbox/a.md").read_text() == "omega"
    assert (office.notes / "Inbox/new.md").read_text() == "saved by a rename\n"


def test_the_files_are_private_and_neutral_and_gone_afterwards(office: Office, tmp_path: Path) -> None:  # noqa: F811
    def change(view: Path) -> None:
        (view / "Inbox/--cmd=!id .vimrc").write_text("modeline\n")
        (view / "Inbox/sub/b.md").unlink()
        (view / "Inbox/picture").write_bytes(b"\0\xff")

    review, told = office.held(change), tmp_path / "told.json"
    result = office.call("review", "edit", review, "--editor", editor(tmp_path, SPY, str(told)))
    assert result.exit_code == 0, result.output
    assert "nothing was changed" in result.stdout
    assert "not to be edited: Inbox/picture is binary" in result.stderr
    assert "not to be edited: Inbox/sub/b.md is deleted" in result.stderr
    facts = json.loads(told.read_text())
    assert (facts["names"], facts["modes"], facts["directory"]) == (["1.txt"], ["0o600"], "0o700")
    assert facts["content"] == ["modeline\n"]
    assert not Path(facts["where"]).exists()


def test_the_editor_of_the_environment(office: Office, tmp_path: Path) -> None:  # noqa: F811
    saving = editor(tmp_path, SAVE)
    review = office.held()
    assert office.call("review", "edit", review, VISUAL=saving, EDITOR="false").exit_code == 0
    assert office.call("review", "edit", review, VISUAL="", EDITOR=saving).exit_code == 0
    assert office.call("review", "edit", review, VISUAL="false", ORCHESTRATOR_EDITOR=saving).exit_code == 0
    assert len(office.json("review", "show", review)["edits"]) == 3


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("false", 2, "ended with 1"),
        ("/nowhere/editor", 6, "cannot be started"),
        ("'", 6, "cannot be read"),
        (" ", 6, "no editor"),
        (f'{sys.executable} -c "import os, sys; os.unlink(sys.argv[1])"', 2, "cannot be read back"),
        (f"{sys.executable} -c \"import sys; open(sys.argv[1], 'w').write(chr(0))\"", 2, "is binary"),
    ],
)
def test_an_editor_that_fails_changes_nothing(
    office: Office,  # noqa: F811
    command: str,
    code: int,
    words: str,
) -> None:
    review = office.held()
    before = office.json("review", "show", review)
    result = office.call("review", "edit", review, "--editor", command)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert office.json("review", "show", review) == before


def test_what_an_editor_links_to_is_not_read(office: Office, tmp_path: Path) -> None:  # noqa: F811
    secret = tmp_path / "secret"
    secret.write_text("not for the vault")
    linking = "import os, sys\nos.unlink(sys.argv[2])\nos.symlink(sys.argv[1], sys.argv[2])\n"
    result = office.call("review", "edit", office.held(), "--editor", editor(tmp_path, linking, str(secret)))
    assert result.exit_code == 2
    assert "nothing was changed" in result.stderr


def test_what_there_is_nothing_to_edit_of(office: Office) -> None:  # noqa: F811
    review = office.held(lambda view: (view / "Inbox/a.md").unlink())
    assert "nothing that can be edited" in office.call("review", "edit", review, "--editor", "true").stderr
    assert "no changed file" in office.call("review", "edit", review, "--path", "keep.md", "--editor", "true").stderr
    assert office.call("review", "edit", review, "--path", "/etc/passwd", "--editor", "true").exit_code == 6
    assert office.call("review", "reject", review).exit_code == 0
    assert "is rejected" in office.call("review", "edit", review, "--editor", "false").stderr
    failure = office.reviews.ask_about_failure(skill(), "f" * 16, "no")
    assert office.call("review", "edit", failure, "--editor", "true").exit_code == 2


def test_nothing_hostile_reaches_the_terminal(office: Office, tmp_path: Path) -> None:  # noqa: F811
    review = office.held()
    stored = office.reviews.changes(review)
    assert stored is not None
    named = tuple(replace(each, path=f"Inbox/{HOSTILE}.md") for each in stored.changes[:1])  # no run can leave that
    assert office.history.records.amend(ReviewEdit(review, 1.0, HOSTILE, stored.digest, digest_of(named)), named)
    for arguments in (("--editor", "true"), ("--editor", HOSTILE), ("--path", HOSTILE, "--editor", "true")):
        result = office.call("review", "edit", review, *arguments)
        assert result.exit_code != 70, result.output
        assert not any(character in result.output for character in OBEYED)
    result = office.call("review", "edit", review, "--editor", editor(tmp_path, SAVE), "--by", HOSTILE)
    assert result.exit_code == 0
    assert not any(character in result.output for character in OBEYED)


def test_somebody_who_was_faster(office: Office, tmp_path: Path) -> None:  # noqa: F811
    """The item is edited while the editor is open."""
    review, gate = office.held(), tmp_path / "gate"
    os.mkfifo(gate)
    waiting = "import sys\nopen(sys.argv[1]).read()\nopen(sys.argv[2], 'w').write('slow\\n')\n"
    command = ("review", "edit", review, "--editor", editor(tmp_path, waiting, str(gate)))
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(office.call(*command)))
    thread.start()
    with gate.open("w"):  # opens once the editor has
        office.reviews.edit(review, {"Inbox/a.md": b"fast\n"}, by="Bob")
    thread.join()
    assert results[0].exit_code == 2
    assert "edited meanwhile" in results[0].stderr
    assert [each["by"] for each in office.json("review", "show", review)["edits"]] == ["Bob"]
