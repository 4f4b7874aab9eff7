"""Landlock: what the executor may open once it is locked in. Its control is a job without it, nothing else changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.sandbox.kernel import landlock_abi
from tests.security.lab import PERMISSIVE, Lab, Probe, not_denied, not_open
from tests.support.sandboxes import job_of

pytestmark = pytest.mark.skipif(landlock_abi() < 6, reason="this kernel's Landlock is too old for all of these")

REFUSED = ("EACCES", "EPERM")
OUTSIDE = (
    Probe("read /proc", "open('/proc/self/status').close()", REFUSED),
    Probe("list /proc", "os.listdir('/proc')", REFUSED),
    Probe("environment of the supervisor's kin", "open('/proc/self/environ').close()", REFUSED),
    Probe("read /sys", "open('/sys/kernel/mm/transparent_hugepage/enabled').close()", REFUSED),
    Probe("read a cgroup", "os.listdir('/sys/fs/cgroup')", REFUSED),
    Probe("list the root", "os.listdir('/')", REFUSED),
    Probe("read /etc", "open('/etc/hostname').close()", REFUSED),
    Probe("read our own files", "open('/opt/orchestrator/supervisor.py').close()", REFUSED),
    Probe("open another device", "os.open('/dev/full', os.O_RDONLY)", REFUSED),
    Probe("open the terminal multiplexer", "os.open('/dev/ptmx', os.O_RDWR)", REFUSED),
    Probe("list message queues", "os.listdir('/dev/mqueue')", REFUSED),
    Probe("execute", "import subprocess; subprocess.run(['/usr/bin/python3.13', '-V'], capture_output=True)", REFUSED),
    Probe("symlink", "os.symlink('/', '/tmp/link')", REFUSED),
    Probe("FIFO", "os.mkfifo('/tmp/fifo')", REFUSED),
    Probe("whiteout", "os.mknod('/tmp/whiteout', 0o020644, 0)", REFUSED),
    Probe("unix socket", "import socket; socket.socket(socket.AF_UNIX).bind('/tmp/socket')", REFUSED),
    Probe("TCP bind", "import socket; socket.socket().bind(('127.0.0.1', 4444))", REFUSED),
    Probe("signal outside", "os.kill(os.getppid(), 0)", REFUSED),
)
ALONE: dict[str, Any] = {"spec": {"seccomp": PERMISSIVE}, "second_stage": False}


def test_with_everything_on_nothing_outside_is_opened(lab: Lab) -> None:
    assert not_denied(lab.verdicts(OUTSIDE)) == {}


def test_landlock_alone_stops_each(lab: Lab) -> None:
    # a child of the executor is in its domain, so it may signal its parent: that one probe is for the whole sandbox
    probes = [probe for probe in OUTSIDE if probe.name != "signal outside"]
    assert not_denied(lab.verdicts(probes, **ALONE)) == {}


def test_control_without_landlock_each_gets_through(lab: Lab) -> None:
    assert not_open(lab.verdicts(OUTSIDE, landlock=False, **ALONE)) == {}


GRANTED = (
    Probe("write in /tmp", "open('/tmp/a', 'w').write('x'); os.mkdir('/tmp/d'); os.rename('/tmp/a', '/tmp/d/b')"),
    Probe("list /tmp", "os.listdir('/tmp')"),
    Probe("read the library", "open('/usr/lib/python3.13/json/__init__.py').read()"),
    Probe("random bytes", "open('/dev/urandom', 'rb').read(1)"),
    Probe("the bin", "open('/dev/null', 'w').write('x')"),
)


def test_what_is_granted_is_granted(lab: Lab) -> None:
    assert not_open(lab.verdicts(GRANTED)) == {}


# What Landlock does not govern (kernel documentation, "Current limitations"): documented residue of the overlay view.
RESIDUE = (
    Probe("metadata of a path one knows", "os.stat('/etc/hostname')"),
    Probe("where a link points", "os.readlink('/proc/self/exe')"),
    Probe("one's own pipes by name", "os.open('/proc/self/fd/1', os.O_WRONLY)"),
)


def test_residue_is_exactly_this(lab: Lab) -> None:
    assert not_open(lab.verdicts(RESIDUE)) == {}


def _read_with_grant(lab: Lab, grant: str) -> Any:
    code = "try: result = open('/etc/hostname').read()\nexcept PermissionError: result = 'denied'"
    with lab.sandbox() as sandbox:
        outcome = sandbox.run(replace(job_of(code), landlock={"required": True, "read": [grant], "write": []}))
    assert outcome.result is not None
    return json.loads(outcome.result[1:])


def test_a_grant_through_a_link_grants_nothing(lab: Lab) -> None:
    """A link of the vault's own in a granted path could lead to a directory that the policy forbids."""
    assert _read_with_grant(lab, "/proc/self/root/etc") == "denied"
    assert _read_with_grant(lab, "/proc/self/cwd") == "denied"


def test_control_a_grant_without_links_is_one(lab: Lab) -> None:
    assert _read_with_grant(lab, "/etc") == "sandbox\n"
    assert _read_with_grant(lab, "/etc/hostname") == "sandbox\n"
    assert _read_with_grant(lab, "/nowhere/at/all") == "denied"
