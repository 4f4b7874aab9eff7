"""The process that runs one skill: forked before the job arrived, locked in before the code starts, then thrown away.

It tells the supervisor on one pipe, in this order: ``R`` once it is prepared, before there is a job; ``S`` once every
restriction is in force (or ``E`` and a message when one could not be applied, and then nothing was run); then one JSON
document with the outcome. The supervisor keeps that order, so foreign code can lie about its result but never about
having started.
"""

from __future__ import annotations

import builtins
import gc
import io
import linecache
import select
import struct
import sys
from _stat import S_ISDIR

import confine
import guards as guarding
from lean import dumps, loads, os, signal, suppress

TYPE_CHECKING = False  # typing costs time and memory in every sandbox; mypy knows the name
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence
    from mmap import mmap
    from types import ModuleType, TracebackType
    from typing import Any, NoReturn

    Job = dict[str, Any]

LENGTH = struct.Struct(">Q")
PREPARED, STARTED, NOT_STARTED = b"R", b"S", b"E"
VALUE, ERROR = b"V", b"X"  # the report's second byte: a value as JSON, or an exception as a JSON object
EXIT_OK, EXIT_FAILED, EXIT_NOT_STARTED = 0, 1, 70
SITE = "/opt/orchestrator/site"
_SETTLED_MS = 100  # no job for so long: the pool has time to spare, so this sandbox may spend some on being prepared
_TEXT_CAP = 64 * 1024  # characters of an error's message or traceback
_FRAMES = 40  # of a traceback: the last ones
_FRAMES_READ = 1000  # to find the skill's among them

_NOT_JSON = "outputs must be JSON: None, bool, int, finite float, str, list, tuple, or dict with str keys"


def wait_for_job(fd: int, preload: Sequence[str]) -> None:
    """Return when the job's pipe can be read. Idle time goes into what makes the run faster; a job that comes at once,
    because the pool has more callers than sandboxes, does not pay for modules that it may not need."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if poller.poll(_SETTLED_MS):
        return
    for name in (*preload, "traceback"):
        with suppress(ImportError):  # if the skill wants it, the skill is told
            __import__(name)
        if poller.poll(0):
            return
    rehearse()
    gc.freeze()
    poller.poll()


def read_job(fd: int) -> Job | None:
    """The job's JSON behind its length (8 bytes), or None when the supervisor went away first."""
    received = bytearray()
    while len(received) < LENGTH.size or len(received) < LENGTH.size + LENGTH.unpack_from(received)[0]:
        chunk = os.read(fd, 1 << 20)
        if not chunk:
            return None
        received += chunk
    job: Job = loads(bytes(received[LENGTH.size :]))
    return job


def _unbuffered(fd: int) -> io.TextIOWrapper:
    # Unbuffered, like python -u: what was printed before a SIGKILL is in the pipe, not in a buffer that died.
    return io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


def prepare() -> confine.Ruleset | None:
    """What needs no job, done before there is one; the Landlock ruleset so far, None where there is no Landlock."""
    sys.stdout, sys.stderr = _unbuffered(1), _unbuffered(2)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc] # Final only for the type checker
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - /dev/null, for the process's whole life
    sys.path.append(SITE)
    abi = confine.landlock_abi()
    return confine.Ruleset(abi) if abi else None


def rehearse() -> None:
    """Compile, call, encode once. The first time is slow after a fork (copied pages, cold caches): 0.5 ms in all."""
    source = "def main(**inputs):\n    return {'n': [1, 2.5, None, 'x']}\n"
    module = _Module("rehearsal")
    exec(compile(source, "rehearsal", "exec", dont_inherit=True), module.__dict__)
    loads(encode_value(module.main())[1:])


def _make_directory(path: str) -> None:
    """A write grant that does not exist yet. Raises OSError when something else has its name."""
    try:
        if S_ISDIR(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        pass
    from os import makedirs

    makedirs(path, mode=0o755, exist_ok=True)


def lock_in(job: Job, ruleset: confine.Ruleset | None) -> None:
    """Every restriction of this run, in the order in which each still can be applied."""
    confine.limit_resources(job["limits"])
    grants = job["landlock"]
    for path in job["make"]:
        _make_directory(path)
    if grants is not None:
        if ruleset is None and grants["required"]:
            raise OSError("the policy requires Landlock and this kernel does not offer it")
        if ruleset is not None:
            ruleset.restrict(grants["read"], grants["write"])
    if ruleset is not None:
        ruleset.close()
    if job["second_stage"]:
        confine.deny_new_processes()


def forget_ourselves() -> None:
    """Take our own modules out of the skill's easy reach. Neatness, not a boundary."""
    for name in ("confine", "executor", "accounting", "guards", "lean", "_ctypes", "resource"):
        sys.modules.pop(name, None)


def make_module(job: Job, namespace_builtins: dict[str, Any]) -> ModuleType:
    """The skill's module. Scripts are ``__main__``; with an entrypoint it is an import, so main guards stay shut."""
    name = "skill" if job["entrypoint"] else "__main__"
    module = _Module(name)
    module.__file__ = job["filename"]
    module.__dict__["__builtins__"] = namespace_builtins
    sys.modules[name] = module
    if name != "__main__":
        sys.modules["__main__"] = _Module("__main__")
    source = job["code"]
    linecache.cache[job["filename"]] = (len(source), None, source.splitlines(keepends=True), job["filename"])
    return module


def event_loop(job: Job) -> AbstractEventLoop | None:
    """A loop for an ``async def`` entrypoint, made before the audit hook: its self-pipe is a socket pair.

    Importing asyncio costs 40 ms, so a skill pays for it only if the word is in its text.
    """
    if "async" not in job["code"]:
        return None
    import asyncio

    return asyncio.new_event_loop()


def call(job: Job, module: ModuleType, loop: AbstractEventLoop | None) -> object:
    """Run the code and return what the skill put out."""
    code = compile(job["code"], job["filename"], "exec", dont_inherit=True)
    if not job["entrypoint"]:
        module.__dict__["inputs"] = job["inputs"]
    exec(code, module.__dict__)
    if not job["entrypoint"]:
        return module.__dict__.get("result")
    entry = module.__dict__.get(job["entrypoint"])
    if not callable(entry):
        raise NameError(f"the code defines no function {job['entrypoint']!r} (the manifest's entrypoint)")
    value = entry(**job["inputs"])
    if loop is None or type(value).__name__ != "coroutine":
        return value
    return loop.run_until_complete(value)


_Module = type(sys)
_name_of = type.__dict__["__name__"].__get__  # past a metaclass that would answer for itself


def _capped(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate (an odd file name, say) is no JSON text
    return text if len(text) <= _TEXT_CAP else text[:_TEXT_CAP] + " [cut]"


def _traceback(error: BaseException, frames: TracebackType | None, filename: str) -> str:
    """The skill's own frames, of the exceptions that led to this one too: others would tell of the sandbox."""
    try:
        import traceback
    except (ImportError, OSError, MemoryError):  # descriptors or memory are used up: the bare facts need neither
        places = []
        while frames is not None:
            code = frames.tb_frame.f_code
            if code.co_filename == filename:
                places.append(f'  File "{code.co_filename}", line {frames.tb_lineno}, in {code.co_name}\n')
            frames = frames.tb_next
        return "".join(
            ["Traceback (most recent call last):\n", *places[-_FRAMES:], f"{_name_of(type(error))}: {error}\n"]
        )
    told = traceback.TracebackException(type(error), error, frames, limit=-_FRAMES_READ, compact=True)
    chain = [told]
    while chain:
        each = chain.pop()
        each.stack[:] = [frame for frame in each.stack if frame.filename == filename][-_FRAMES:]
        chain += [other for other in (each.__cause__, each.__context__, *(each.exceptions or ())) if other is not None]
    return "".join(told.format())


def describe(error: BaseException, filename: str) -> dict[str, str]:
    """An exception as plain values: the traceback starts at the skill's own first frame."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != filename:
        frames = frames.tb_next
    text = _traceback(error, frames, filename)
    message = f"exit code {error.code!r}" if isinstance(error, SystemExit) else str(error)
    return {"type": _name_of(type(error)), "message": _capped(message), "traceback": _capped(text)}


def encode_value(value: object) -> bytes:
    try:
        return VALUE + dumps(value, ascii_only=False).encode()
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise TypeError(f"the output cannot be encoded: {error}; {_NOT_JSON}") from None


def outcome(job: Job, module: ModuleType, loop: AbstractEventLoop | None) -> tuple[int, bytes]:
    """(exit code, JSON bytes) of the whole run. SystemExit is a failure: nobody can tell 0 from an early way out."""
    try:
        return EXIT_OK, encode_value(call(job, module, loop))
    except BaseException as error:
        try:
            detail = describe(error, job["filename"])
        except BaseException as second:  # a hostile __str__, say
            message = f"could not be described: {_name_of(type(second))}"
            detail = {"type": "Exception", "message": message, "traceback": ""}
        return EXIT_FAILED, ERROR + dumps(detail).encode()


def _write_all(fd: int, payload: bytes) -> None:
    view = memoryview(payload)
    while view:
        view = view[os.write(fd, view) :]


def take_signals_back() -> None:
    """Undo what the fork inherited: the supervisor's wake-up descriptor has the number of our report by now."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(job_fd: int, report_fd: int, shared: mmap, preload: Sequence[str]) -> NoReturn:
    """The executor's whole life. Never returns."""
    take_signals_back()
    confine.set_dumpable(1)  # the supervisor reads our /proc files; nobody else of this user exists here
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # when memory ends, this process goes, not the supervisor
    try:
        ruleset = prepare()
        _write_all(report_fd, PREPARED)
        wait_for_job(job_fd, preload)
        job = read_job(job_fd)
        if job is None:
            os._exit(EXIT_NOT_STARTED)
        sys.argv = [job["filename"]]
        lock_in(job, ruleset)
        guards = job["guards"]
        counters = guarding.Counters(shared)
        namespace = dict(vars(builtins)) if guards is None else guarding.guarded_builtins(guards, counters)
        module = make_module(job, namespace)
        loop = event_loop(job)
        gc.enable()
        forget_ourselves()
        if guards is not None:
            guarding.install_audit_hook(guards, counters)
    except BaseException as error:
        _write_all(report_fd, NOT_STARTED + f"{type(error).__name__}: {error}".encode())
        os._exit(EXIT_NOT_STARTED)
    code = EXIT_FAILED
    try:
        _write_all(report_fd, STARTED)
        code, report = outcome(job, module, loop)
        _write_all(report_fd, report)
    finally:  # whatever is raised, even by the description of an exception: this process never goes on from here
        os._exit(code)  # no atexit, no __del__, no waiting for threads
