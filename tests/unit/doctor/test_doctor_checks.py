"""The checks without an engine: versions, what an engine says of itself, kernels and hosts - and the hostile ones."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.cli.console import json_text
from orchestrator.cli.examination import show
from orchestrator.doctor import engine, host, kernel, setup, versions
from orchestrator.doctor.model import Check, Outcome, Report, Result, Severity, examine, failed, passed, unknown
from orchestrator.sandbox.engine import EngineInfo
from orchestrator.settings import Settings

RAW: dict[str, Any] = {
    "MemoryLimit": True, "SwapLimit": True, "PidsLimit": True, "CpuCfsPeriod": True, "CpuCfsQuota": True,
    "CgroupDriver": "systemd", "DriverStatus": [["Supports d_type", "true"]], "ExperimentalBuild": False,
    "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {"hub": {"Secure": True}}},
    "ServerVersionDetails": {"Components": [
        {"Name": "runc", "Version": "1.4.3", "Details": {"GitCommit": "v1.4.3-0-g51d5e94"}},
        {"Name": "containerd", "Version": "2.2.0", "Details": {"GitCommit": "0123456"}},
    ]},
}  # fmt: skip
GOOD = EngineInfo(
    name="Docker Engine", version="28.2.2", api_version="1.50", kernel="6.18.0", cgroup_version="2",
    storage_driver="overlay2", security_options=("name=seccomp,profile=builtin", "name=apparmor", "name=rootless"),
    runtimes=("runc",), default_runtime="runc", cpus=2, rootless=True, remote=False, raw=RAW,
)  # fmt: skip


def look(info: EngineInfo | None, url: str = "unix:///run/engine.sock") -> dict[str, Result]:
    results = examine(engine.CHECKS, engine.EngineFacts(url, info, "nothing answers"))
    return {result.id: result for result in results}


def weak(**raw: Any) -> EngineInfo:
    return replace(GOOD, raw={**RAW, **raw})


@pytest.mark.parametrize(
    ("version", "outcome", "severity"),
    [
        ("1.1.11", Outcome.FAIL, Severity.FATAL),
        ("1.1.12", Outcome.FAIL, Severity.FATAL),
        ("1.2.7", Outcome.FAIL, Severity.FATAL),
        ("1.3.2", Outcome.FAIL, Severity.FATAL),
        ("1.2.8", Outcome.FAIL, Severity.WARNING),
        ("1.3.3", Outcome.FAIL, Severity.WARNING),
        ("1.4.2", Outcome.FAIL, Severity.WARNING),
        ("1.3.6", Outcome.PASS, None),
        ("1.4.3", Outcome.PASS, None),
        ("v1.4.3-0-g51d5e94", Outcome.PASS, None),
        ("1.5.0", Outcome.PASS, None),
        ("1.1.5+ds1-1+deb12u1", Outcome.UNKNOWN, Severity.WARNING),
        ("1.4.3-0ubuntu1~22.04.1", Outcome.UNKNOWN, Severity.WARNING),
        ("1.4.3-7-g51d5e94", Outcome.UNKNOWN, Severity.WARNING),
        ("1.5.0-rc.1", Outcome.UNKNOWN, Severity.WARNING),
        ("1.4.3\n", Outcome.UNKNOWN, Severity.WARNING),
        ("١.٤.٣", Outcome.UNKNOWN, Severity.WARNING),
        ("9" * 10_000 + ".0.0", Outcome.UNKNOWN, Severity.WARNING),
        ("", Outcome.UNKNOWN, Severity.WARNING),
    ],
)
def test_runc_versions(version: str, outcome: Outcome, severity: Severity | None) -> None:
    seen = versions.judge(version, versions.RUNC)
    assert (seen.outcome, seen.severity) == (outcome, severity)


def test_a_good_engine_passes_everything_that_does_not_touch_this_machine() -> None:
    results = look(GOOD)
    results.pop("engine.socket")
    assert [result for result in results.values() if result.outcome is not Outcome.PASS] == []


@pytest.mark.parametrize(
    ("info", "check", "severity"),
    [
        (replace(GOOD, security_options=()), "seccomp", "F"),
        (replace(GOOD, security_options=("name=seccomp",)), "isolation", "W"),
        (replace(GOOD, security_options=("name=seccomp",)), "lsm", "W"),
        (replace(GOOD, security_options=("name=notseccomp",)), "seccomp", "F"),
        (replace(GOOD, api_version="1.40"), "api", "F"),
        (replace(GOOD, storage_driver="vfs"), "storage", "W"),
        (replace(GOOD, default_runtime="mine"), "runtime", "W"),
        (replace(GOOD, version="24.0.9"), "version", "W"),
        (weak(MemoryLimit=False), "memory", "F"),
        (weak(SwapLimit=False), "swap", "F"),
        (weak(PidsLimit=False), "pids", "F"),
        (weak(CpuCfsQuota=False), "cpu", "F"),
        (weak(ExperimentalBuild=True), "experimental", "W"),
        (weak(RegistryConfig={"InsecureRegistryCIDRs": ["10.0.0.0/8"]}), "registries", "W"),
        (weak(RegistryConfig={"IndexConfigs": {"r": {"Secure": False}}}), "registries", "W"),
        (weak(Warnings=["WARNING: no swap limit support"]), "warnings", "I"),
    ],
)
def test_each_weakness_of_an_engine_has_its_own_line(info: EngineInfo, check: str, severity: str) -> None:
    result = look(info)[f"engine.{check}"]
    assert (result.outcome, result.severity) == (Outcome.FAIL, severity)
    assert result.fix


@pytest.mark.parametrize(
    ("url", "outcome", "severity"),
    [
        ("unix:///run/engine.sock", Outcome.PASS, "F"),
        ("tcp://10.0.0.1:2375", Outcome.FAIL, "F"),
        ("http://10.0.0.1:2375", Outcome.FAIL, "F"),
        ("https://10.0.0.1:2376", Outcome.FAIL, "W"),
    ],
)
def test_an_engine_on_an_open_port_is_fatal(url: str, outcome: Outcome, severity: str) -> None:
    result = look(GOOD, url)["engine.transport"]
    assert (result.outcome, result.severity) == (outcome, severity)


def test_a_socket_that_everybody_may_write_to_is_fatal(tmp_path: Path) -> None:
    file = tmp_path / "engine.sock"
    file.touch(mode=0o600)
    file.chmod(0o660)
    assert look(GOOD, f"unix://{file}")["engine.socket"].outcome is Outcome.PASS
    file.chmod(0o666)
    assert look(GOOD, f"unix://{file}")["engine.socket"].blocks


@pytest.mark.parametrize("missing", ["MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota", "ExperimentalBuild"])
def test_what_the_engine_does_not_say_is_unknown_never_a_pass(missing: str) -> None:
    for value in (None, "true", 1):
        results = look(weak(**{missing: value}))
        assert sum(result.outcome is Outcome.UNKNOWN for result in results.values()) >= 1
    assert look(replace(GOOD, raw={}))["engine.runc"].outcome is Outcome.UNKNOWN


def test_no_engine_passes_nothing() -> None:
    assert not [result for result in look(None, "").values() if result.outcome is Outcome.PASS]


HOSTILE = "\x1b]0;t\x07\x1b[2J\u202e\n[link=http://e.x]c[/link]\ud800" + "x" * 100_000


def test_hostile_answers_of_an_engine_are_neither_obeyed_nor_believed() -> None:
    info = replace(
        GOOD, name=HOSTILE, version=HOSTILE, api_version=HOSTILE, kernel=HOSTILE, storage_driver=HOSTILE,
        default_runtime=HOSTILE, runtimes=(HOSTILE,), security_options=(HOSTILE,),
        raw={"DriverStatus": 7, "RegistryConfig": HOSTILE, "Warnings": [HOSTILE], "ServerVersionDetails": [HOSTILE]},
    )  # fmt: skip
    report = Report(tuple(look(info).values()))
    stream = io.StringIO()
    show(report, Console(file=stream, force_terminal=True, color_system=None, markup=False, emoji=False, width=120))
    text = json_text(report.document())
    for shown in (stream.getvalue(), text):
        assert not any(character in shown for character in "\x1b\x07\u202e\ud800")
    assert len(text) < 60_000
    json.loads(text)
    assert not report.fit


def facts(**changes: Any) -> kernel.KernelFacts:
    good = kernel.KernelFacts(
        same=True, release="6.18", landlock=7, openat2=True, seccomp_actions="errno allow", lsm="landlock",
        sysctls={each.name: "2" for each in kernel.SYSCTLS} | {"user.max_user_namespaces": "0"},
        modules=frozenset(), cpu_holes=(),
    )  # fmt: skip
    return replace(good, **changes)


def test_a_hardened_kernel_passes_and_a_missing_file_is_unknown() -> None:
    assert {result.outcome for result in examine(kernel.CHECKS, facts())} == {Outcome.PASS}
    blind = facts(seccomp_actions=None, lsm=None, sysctls={}, modules=None, cpu_holes=None)
    seen = {result.id: result.outcome for result in examine(kernel.CHECKS, blind)}
    assert {name for name, outcome in seen.items() if outcome is Outcome.PASS} == {
        "kernel.release", "kernel.landlock", "kernel.openat2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sysctl", "value"),
    [
        ("kernel.io_uring_disabled", "0"), ("kernel.unprivileged_bpf_disabled", "0"), ("kernel.kptr_restrict", "0"),
        ("kernel.perf_event_paranoid", "-1"), ("kernel.core_pattern", "|/bin/x"), ("fs.protected_symlinks", "0"),
        ("user.max_user_namespaces", "96365"),
    ],
)  # fmt: skip
def test_a_weak_sysctl_is_a_warning(sysctl: str, value: str) -> None:
    results = examine(kernel.CHECKS, facts(sysctls={**facts().sysctls, sysctl: value}))
    (weak_one,) = [result for result in results if result.outcome is not Outcome.PASS]
    assert (weak_one.id, weak_one.severity) == (f"kernel.sysctl.{sysctl}", Severity.WARNING)
    assert sysctl in weak_one.fix


def test_this_kernel_says_nothing_of_another_one() -> None:
    results = examine(kernel.CHECKS, facts(same=False))
    assert {result.id for result in results if result.outcome is Outcome.PASS} <= {
        "kernel.release", "kernel.openat2", "kernel.lsm",
    }  # fmt: skip
    assert not any(result.blocks for result in results)


def on_host(state: Path, vault: Path | None = None, euid: int | None = None) -> dict[str, Result]:
    found = host.gather(Settings(state_dir=state, vault=vault))
    found = found if euid is None else replace(found, euid=euid)
    return {result.id: result for result in examine(host.CHECKS, found)}


def test_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert on_host(state)["state.private"].outcome is Outcome.PASS  # it will be made
    state.mkdir(mode=0o700)
    assert on_host(state)["state.private"].outcome is Outcome.PASS
    assert on_host(state, euid=4711)["state.private"].blocks
    state.chmod(0o750)
    assert on_host(state)["state.private"].blocks


def test_vault_and_state_directory_must_be_apart(tmp_path: Path) -> None:
    vault = tmp_path / "notes"
    (vault / "state").mkdir(parents=True)
    assert on_host(vault / "state", vault)["state.apart"].blocks
    assert on_host(tmp_path, vault)["state.apart"].blocks
    assert on_host(tmp_path / "state", vault)["state.apart"].outcome is Outcome.PASS


@pytest.mark.parametrize("place", ["/", "/etc", "/usr/share", "/var", "/home"])
def test_a_vault_that_is_part_of_the_system_is_refused(tmp_path: Path, place: str) -> None:
    assert on_host(tmp_path / "state", Path(place))["vault.place"].blocks


def test_a_vault_that_is_not_there(tmp_path: Path) -> None:
    assert on_host(tmp_path / "state", tmp_path / "none")["vault.usable"].blocks


def test_a_vault_that_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert on_host(tmp_path / "state", tmp_path / "home")["vault.home"].outcome is Outcome.FAIL


def test_root_is_a_warning(tmp_path: Path) -> None:
    assert on_host(tmp_path / "state", euid=0)["host.root"].outcome is Outcome.FAIL
    assert not on_host(tmp_path / "state", euid=0)["host.root"].blocks


def test_without_image_and_engine_the_setup_is_not_fit(tmp_path: Path) -> None:
    found = setup.SetupFacts(Settings(state_dir=tmp_path / "state"), None)
    blocking = {result.id for result in examine(setup.CHECKS, found) if result.blocks}
    assert {"image.built", "image.verified"} <= blocking
    assert "policy.valid" not in blocking


def test_broken_policies_are_fatal(tmp_path: Path) -> None:
    (tmp_path / "strict.toml").write_text("version = ")
    found = setup.SetupFacts(Settings(state_dir=tmp_path / "state", policy_dir=tmp_path), None)
    results = {result.id: result for result in examine(setup.CHECKS, found)}
    assert results["policy.valid"].blocks
    assert "relaxed" in results["policy.levels"].evidence


@pytest.mark.parametrize(("seen", "fits"), [(passed(""), True), (failed(""), False), (unknown(""), False)])
def test_only_a_pass_of_what_is_fatal_is_fit(seen: Any, fits: bool) -> None:
    check: Check[None] = Check("a", "a", Severity.FATAL, lambda _: seen, "fix")
    assert Report((check.result(None),)).fit is fits
    assert Report((replace(check, severity=Severity.WARNING).result(None),)).fit is True


def test_an_empty_report_is_not_fit() -> None:
    assert Report(()).fit is False


def test_a_look_that_cannot_read_its_facts_is_unknown() -> None:
    def broken(_facts: None) -> Any:
        raise KeyError("\x1b[2J")

    result = Check("a", "a", Severity.FATAL, broken).result(None)
    assert result.outcome is Outcome.UNKNOWN
    assert "\x1b" not in result.evidence


def test_ids_are_unique() -> None:
    ids = [check.id for checks in (engine.CHECKS, kernel.CHECKS, host.CHECKS, setup.CHECKS) for check in checks]
    assert len(ids) == len(set(ids))
