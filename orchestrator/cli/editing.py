"""Letting a person edit files that a skill wrote, with the editor of their choice."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.console import safe, say
from orchestrator.errors import ReviewError, SettingsError
from orchestrator.private import write_new
from orchestrator.text import one_line
from orchestrator.vault.amend import Draft
from orchestrator.vault.descriptors import FILE, opened
from orchestrator.vault.diff import MAX_BYTES


def edited(drafts: Sequence[Draft], editor: str) -> dict[str, bytes]:
    """What the person saved, by path in the vault; only what differs. ``drafts`` have content.

    The files lie in a private directory (0700) that is removed afterwards. Their names are ours: a skill's name for a
    file could be an option of the editor, or choose a mode of it that runs something. Raises ``SettingsError`` when the
    editor cannot be started, and ``ReviewError`` when it fails, or saved something that cannot be taken.
    """
    with tempfile.TemporaryDirectory(prefix="review-") as directory:
        files = {draft.path: Path(directory) / f"{number}.txt" for number, draft in enumerate(drafts, 1)}
        for draft in drafts:
            write_new(files[draft.path], draft.content or b"")
            say(safe(f"{files[draft.path].name} is {draft.path}", one_line=True))
        _open(editor, list(files.values()))
        saved = {path: _read(file) for path, file in files.items()}
    return {draft.path: saved[draft.path] for draft in drafts if saved[draft.path] != draft.content}


def _open(editor: str, files: Sequence[Path]) -> None:
    hint = "set EDITOR, or give --editor COMMAND"
    try:
        command = shlex.split(editor)
    except ValueError as error:
        raise SettingsError(f"the editor {one_line(editor, 200)!r} cannot be read: {error}", hint=hint) from error
    if not command:
        raise SettingsError("no editor is set", hint=hint)
    try:
        ended = subprocess.run(  # noqa: S603 - what the person who sits here chose
            [*command, *map(str, files)], check=False, stdout=None if os.isatty(1) else 2
        )
    except OSError as error:
        name = one_line(command[0], 200)
        raise SettingsError(f"the editor {name!r} cannot be started: {error.strerror}", hint=hint) from error
    if ended.returncode != 0:
        raise ReviewError(f"the editor ended with {ended.returncode}: nothing was changed")


def _read(file: Path) -> bytes:
    """What was saved, whichever way: in place, or as a new file under the same name."""
    try:
        with opened(os.open(file, FILE)) as descriptor:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                with open(descriptor, "rb", closefd=False) as content:
                    return content.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReviewError(f"{file.name} cannot be read back: {error.strerror}; nothing was changed") from error
    raise ReviewError(f"{file.name} is no file any more; nothing was changed")
