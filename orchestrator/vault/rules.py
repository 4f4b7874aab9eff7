"""The rules by which changes to a vault are refused: their ids, their wording and their fixes.

VLT1xx  what a run left behind cannot be taken over at all (found by ``collect``)
VLT2xx  it could, but this skill was not granted it (found by ``check``)
VLT3xx  it could and was granted, but the vault is not what the run saw any more (found by ``collect`` and ``commit``)

One refusal refuses the whole change set: a run's changes are taken over together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.errors import OrchestratorError
from orchestrator.validation.finding import Finding
from orchestrator.vault.names import shown

_REGULAR = "write regular files and directories only"

RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "VLT101": ("is a symbolic link", _REGULAR),
        "VLT102": ("is a hard link (it has several names)", "write the content to each file instead of linking"),
        "VLT103": ("is a FIFO, socket or device", _REGULAR),
        "VLT104": ("carries a setuid, setgid or sticky bit", "leave file modes alone; they are not taken over"),
        "VLT105": ("has a name that is not UTF-8", "encode file names as UTF-8"),
        "VLT106": (
            "has a name with control characters, text-direction marks or something other systems read as a separator",
            "use plain letters, digits, spaces and punctuation in new names",
        ),
        "VLT107": ("has a name or path that is too long or lies too deep", "shorten the path"),
        "VLT108": (
            "collides with another name in its directory (same but for case, Unicode form or invisible characters)",
            "choose a name that differs visibly",
        ),
        "VLT109": ("is one changed entry too many", "change fewer files, or raise limits.files"),
        "VLT110": ("takes the bytes written over the limit", "write less, or raise limits.write_mb"),
        "VLT111": ("is larger than one file may be", "split it, or raise limits.file_mb"),
        "VLT112": ("replaces or removes a link or special file of the vault", "leave the vault's own links alone"),
        "VLT113": ("lies on another file system", "grant only directories on the vault's own file system"),
        "VLT114": ("changed while it was being collected", "nothing may still write to the view; run again"),
        "VLT115": ("cannot be read", "leave file modes alone"),
        "VLT201": ("lies outside the directories this skill may write", "add its directory to vault.write"),
        "VLT202": ("matches a pattern that the policy forbids", "write elsewhere, or have the policy changed"),
        "VLT203": ("is itself a granted directory, which a skill may fill but not remove", "remove its content only"),
        "VLT204": ("belongs to the orchestrator itself", "write elsewhere"),
        "VLT205": (
            "is granted but is no plain directory",
            "name directories, not notes or links, in vault.read and vault.write",
        ),
        "VLT301": ("was changed in the vault since the run began", "run again to work on the current content"),
        "VLT302": ("is reached through something that is not a plain directory any more", "restore the directory"),
        "VLT303": ("belongs to somebody else, and replacing it would change its owner", "run as the vault's owner"),
    }
)


def finding(rule: str, path: str, detail: str = "") -> Finding:
    """The finding of ``rule`` for ``path`` (untrusted: shown escaped)."""
    message, fix = RULES[rule]
    subject = shown(path)
    return Finding(rule, subject, f"{subject} {message}" + (f" ({detail})" if detail else ""), fix)


class ChangesRefused(OrchestratorError):  # noqa: N818 - reads as what happened
    """Changes were not taken over; the vault is as it was. ``findings`` says why, never empty."""

    exit_code = 7
    hint = "nothing was committed; each finding names its fix"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(each) for each in findings))
        self.findings = findings
