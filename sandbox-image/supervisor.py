"""PID 1 of a sandbox: starts the executor, relays its output in frames, enforces the limits, keeps the accounts.

Theory of operation. The executor is forked before READY, so a job costs no fork. Both run as the same user; what
keeps them apart is that this process is not dumpable (its memory, descriptors and /proc files are closed to the
executor), that PID 1 ignores signals from inside its namespace, and that only this process holds the container's
stdin and stdout. One loop around poll(2) relays and watches; nothing in it blocks: standard output is non-blocking
behind a bounded backlog, and while the host reads slowly the executor's pipes are simply not read.

When stdin ends, the host process is gone: PID 1 exits, the kernel kills the rest, the engine removes the container.

Exactly one job is taken. FINAL is sent after every other process is dead and reaped, so what it says is final.
"""

from __future__ import annotations

import gc
import mmap
import select
import struct
import sys
import time

# -I keeps this directory off sys.path; it is on it for these imports only, never for a skill's. Its name is the code's,
# for ``__file__`` is the byte code's: the image starts that file, so that nothing is compiled at boot.
sys.path.insert(0, sys._getframe().f_code.co_filename.rpartition("/")[0])
import accounting
import confine
import executor
import guards
from lean import dumps, loads, os, signal, suppress

del sys.path[0]

TYPE_CHECKING = False  # typing costs time and memory in every sandbox; mypy knows the name
if TYPE_CHECKING:
    import resource
    from typing import Any, NoReturn

PROTOCOL_VERSION = 2
HEADER = struct.Struct(">BI")
JOB, ATTEST, CANCEL, READY, POSTURE, STDOUT, STDERR, RESULT, FINAL, TAKEN = 1, 2, 3, 16, 17, 18, 19, 20, 21, 22
CHUNK = 65536
JOB_BYTES = 16 * 2**20
GIVING_BACK = (
    0.02  # seconds. An executor that ends without a word may have been killed for its memory, which the kernel
)
# takes back in a thread of its own; were we to need a page before that, we would be killed next
BACKLOG = 1 << 20  # bytes waiting for a slow host before we stop reading the executor
TICK = 0.02  # seconds between looks at the counters while a job runs
MIN_GRACE = 0.05


class HostGone(Exception):  # noqa: N818 - an event, as much as an error
    """Standard input ended or broke."""


class Link:
    """Frames to and from the host, over standard input and output. Writing never blocks."""

    def __init__(self) -> None:
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        self._in = bytearray()
        self._out = bytearray()

    def queue(self, kind: int, payload: bytes) -> None:
        self._out += HEADER.pack(kind, len(payload)) + payload

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.queue(kind, payload)
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                del self._out[: os.write(1, self._out)]
            except BlockingIOError:
                return
            except OSError:
                raise HostGone from None

    def flush_all(self) -> None:
        while self._out:
            select.select([], [1], [])
            self.flush()

    @property
    def backlog(self) -> int:
        return len(self._out)

    def receive(self) -> list[tuple[int, bytes]]:
        """Whole frames that have arrived. Raises HostGone at the end of the stream or at nonsense on it."""
        try:
            chunk = os.read(0, 1 << 20)
        except BlockingIOError:
            return []
        except OSError:
            raise HostGone from None
        if not chunk:
            raise HostGone
        self._in += chunk
        frames = []
        while len(self._in) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._in)
            if length > JOB_BYTES or kind not in (JOB, ATTEST, CANCEL):
                raise HostGone
            if len(self._in) < HEADER.size + length:
                break
            frames.append((kind, bytes(self._in[HEADER.size : HEADER.size + length])))
            del self._in[: HEADER.size + length]
        return frames


class Executor:
    """The forked child as its parent sees it: a pid, a pipe for the job, three pipes to read."""

    def __init__(self) -> None:
        shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._page = memoryview(shared)
        self._counted = self._page.cast("Q")
        job_read, self._job_write = os.pipe()
        out_read, out_write = os.pipe()
        error_read, error_write = os.pipe()
        report_read, report_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(job_read, out_write, error_write, report_write, shared)
        for fd in (job_read, out_write, error_write, report_write):
            os.close(fd)
        self.pipes = {out_read: STDOUT, error_read: STDERR, report_read: RESULT}
        self._await(report_read)
        for fd in self.pipes:
            os.set_blocking(fd, False)

    @staticmethod
    def _await(report: int) -> None:
        """A sandbox is not warm before its executor has done what can be done without the job."""
        said = os.read(report, 4096)
        if said != executor.PREPARED:
            raise SystemExit("the executor could not prepare itself: " + said[1:].decode("utf-8", "replace"))

    @staticmethod
    def _become(job: int, out: int, error: int, report: int, shared: mmap.mmap) -> NoReturn:
        """In the child: descriptors 0-2 for the skill, 3 the job, 4 the report, and no other."""
        high = [os.dup2(fd, 32 + index) for index, fd in enumerate((job, report, out, error))]
        os.dup2(high[2], 1)
        os.dup2(high[3], 2)
        os.dup2(high[0], 3, inheritable=False)
        os.dup2(high[1], 4, inheritable=False)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.closerange(5, 64)
        executor.run(3, 4, shared, preload=sys.argv[1:])

    def counted(self, which: int) -> int:
        return min(self._counted[which], 2**63 - 1)  # the skill can write there: it falsifies these, not the report

    @property
    def guard_notes(self) -> list[str]:
        return guards.notes_in(self._page)

    def give(self, payload: bytes) -> None:
        """Hand over the job. The pipe is small and the executor reads at once, so this waits for microseconds."""
        view = memoryview(executor.LENGTH.pack(len(payload)) + payload)
        try:
            while view:
                view = view[os.write(self._job_write, view) :]
        except BrokenPipeError:
            pass  # it died before it read: the loop sees its end
        os.close(self._job_write)

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Baseline:
    """The counters before any foreign code can have moved them; read while idle, so that no job waits for it."""

    def __init__(self, child: Executor) -> None:
        self.processes = accounting.Pids()
        self.pids = self.processes.current() or 0
        self.pids_peak = accounting.pids_peak() or 0  # the runtime's own threads, not the skill's
        self.oom_kills = accounting.oom_kills() or 0
        self.writes = accounting.Writes(child.pid)


class Run:
    """One job from JOB to FINAL: relay, limits, accounts."""

    def __init__(self, link: Link, child: Executor, job: dict[str, Any], before: Baseline) -> None:
        self.link, self.child = link, child
        self.limits = job["limits"]
        self.cause = "exited"
        self.began = time.monotonic()
        self.deadline = self.began + self.limits["wall_seconds"]
        self.kill_at = None
        self.counts = {STDOUT: 0, STDERR: 0, RESULT: 0}
        self.caps = {
            STDOUT: self.limits["stdout_bytes"],
            STDERR: self.limits["stderr_bytes"],
            RESULT: self.limits["result_bytes"],
        }
        self.report = bytearray()
        self.before = before
        self.prepared = accounting.cpu_seconds(child.pid) or 0.0  # CPU time it took before the job: not the skill's
        self.pids_peak = before.pids
        self.next_look = self.began + TICK
        self.told = False  # the host that the job is here
        self.written = 0
        self.ending: tuple[int, resource.struct_rusage] | None = None  # exit status and usage, once reaped

    # limits

    def stop(self, cause: str, graceful: bool = False) -> None:
        """Record why, once, and end the executor: at once, or after SIGINT and a grace period."""
        if self.cause == "exited":
            self.cause = cause
            if graceful:
                self.child.signal(signal.SIGINT)
                self.kill_at = time.monotonic() + max(MIN_GRACE, self.limits["grace_seconds"])
            else:
                self.child.signal(signal.SIGKILL)

    def measure_writes(self) -> None:
        """What went to files: all it wrote, less what came or is still to come through our pipes.

        The pipes are looked at after the counter: what is written in between counts next time, never twice.
        """
        wchar, blocks = self.before.writes.so_far()
        in_pipes = sum(accounting.unread(fd) for fd in self.child.pipes)
        self.written = max(self.written, wchar - sum(self.counts.values()) - in_pipes, blocks)

    def look(self) -> None:
        """Compare the counters, which can only be polled, with the limits."""
        cpu = accounting.cpu_seconds(self.child.pid)
        if cpu is not None and cpu - self.prepared > self.limits["cpu_seconds"]:
            self.stop("cpu")
        self.measure_writes()
        if self.written > self.limits["write_bytes"]:
            self.stop("write")
        self.pids_peak = max(self.pids_peak, self.before.processes.current() or 0)

    def tell(self) -> None:
        """Once, that the job is here: a host that hears nothing takes us for paused. At the first tick, since an answer
        to the job itself would cost each short one 0.4 ms of its 4; those end before, and FINAL says more."""
        if not self.told:
            self.told = True
            self.link.send(TAKEN)

    def watch(self) -> float:
        """See to the time limits, and every TICK to the counters (for a short job, reading them at each event would
        cost more than all else); seconds until there is something to see to."""
        now = time.monotonic()
        if self.kill_at is not None and now >= self.kill_at:
            self.child.signal(signal.SIGKILL)
        if now >= self.deadline:
            self.stop("wall", graceful=True)
        if now >= self.next_look:
            self.tell()
            self.look()
            self.next_look = now + TICK
        due = [self.next_look, self.deadline, *([] if self.kill_at is None else [self.kill_at])]
        return max(0.001, min((then for then in due if then > now), default=now) - now)

    # relaying

    def relay(self, fd: int) -> bool:
        """Read one chunk of one pipe; False at its end. Bytes past a cap are dropped and end the run."""
        kind = self.child.pipes[fd]
        try:
            chunk = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        room = self.caps[kind] - self.counts[kind] + (1 if kind == RESULT else 0)  # the report's first byte is ours
        self.counts[kind] += len(chunk)
        if len(chunk) > room:
            chunk = chunk[: max(0, room)]
            self.stop("output")
        if kind == RESULT:
            self.report += chunk
        elif chunk:
            self.link.send(kind, chunk)
        return True

    def drain(self) -> None:
        """After every process is dead: what is still in the pipes, up to the caps."""
        for fd in self.child.pipes:
            while self.relay(fd):
                if not select.select([fd], [], [], 0)[0]:
                    break

    # the end

    def reaped(self) -> bool:
        """True once the executor is a zombie; then its accounts are read and it is waited for."""
        if os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self.look()  # a zombie still has its counters: whoever was faster than a tick is caught here
        _, status, usage = os.wait4(self.child.pid, 0)
        self.ending = status, usage
        return True

    def _pids_peak(self) -> int:
        peak = accounting.pids_peak() or 0
        return max(self.pids_peak, peak if peak > self.before.pids_peak else 0)

    def _cpu(self, usage: resource.struct_rusage) -> tuple[float, float]:
        """User and system time since the job came. Of the time before only the sum is known, and imports are user's."""
        user = usage.ru_utime - self.prepared
        return max(0.0, user), max(0.0, usage.ru_stime + min(0.0, user))

    def finish(self) -> None:
        """Kill what is left, drain, account, and send RESULT and FINAL."""
        wall = time.monotonic() - self.began
        kill_everything()
        self.drain()
        oom = (accounting.oom_kills() or 0) - self.before.oom_kills
        if oom > 0 and self.cause == "exited":
            self.cause = "memory"  # whichever process the kernel chose: exit codes alone do not prove it
        started = self.report[:1] == executor.STARTED
        if started and len(self.report) > 1:
            self.link.queue(RESULT, bytes(self.report[1:]))  # leaves with FINAL, in one write
        assert self.ending is not None
        status, usage = self.ending
        user, system = self._cpu(usage)
        final = {
            "cause": self.cause,
            "started": started,
            "setup_error": "" if started else bytes(self.report[1:2000]).decode("utf-8", "replace"),
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "wall_seconds": wall,
            "user_cpu_seconds": user,
            "system_cpu_seconds": system,
            "memory_peak_bytes": accounting.memory_peak() or 0,
            "oom_kills": oom,
            "pids_peak": self._pids_peak(),
            "bytes_written": max(0, self.written),
            "file_opens": self.child.counted(guards.OPENS),
            "write_opens": self.child.counted(guards.WRITE_OPENS),
            "connection_attempts": self.child.counted(guards.CONNECTIONS),
            "guard_notes": self.child.guard_notes,
        }
        self.link.send(FINAL, dumps(final).encode())
        self.link.flush_all()


def kill_everything() -> None:
    """SIGKILL every other process of the namespace and reap until none is left."""
    while True:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def serve(link: Link, wake: int) -> tuple[bytes, bool]:
    """(the job, whether it is cancelled already), once it is here; until then, answer questions about our posture."""
    abi = confine.landlock_abi()
    ready = {"protocol": PROTOCOL_VERSION, "python": sys.version.split()[0], "landlock": abi}
    link.send(READY, dumps(ready).encode())
    poller = select.poll()
    poller.register(0, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while True:
        ready_fds = [fd for fd, _ in poller.poll()]
        if wake in ready_fds:
            raise SystemExit("the executor died while it waited for a job")
        frames = link.receive()
        for index, (kind, payload) in enumerate(frames):
            if kind == ATTEST:
                link.send(POSTURE, dumps(accounting.posture(abi)).encode())
            elif kind == JOB:
                return payload, any(later == CANCEL for later, _ in frames[index + 1 :])
            # a CANCEL before the job has nothing to cancel


def supervise(run: Run, wake: int) -> None:
    """Run the one job to its end."""
    link, child = run.link, run.child
    open_pipes = set(child.pipes)
    report = next(fd for fd, kind in child.pipes.items() if kind == RESULT)
    wait = min(TICK, run.limits["wall_seconds"])
    while not run.reaped():
        poller = select.poll()
        poller.register(0, select.POLLIN)
        poller.register(wake, select.POLLIN)
        if link.backlog:
            poller.register(1, select.POLLOUT)
        if link.backlog < BACKLOG:
            for fd in open_pipes:
                poller.register(fd, select.POLLIN)
        events = poller.poll(wait * 1000)
        if (report, select.POLLHUP) in events and len(run.report) < 2:
            time.sleep(GIVING_BACK)
        for fd, _ in events:
            if fd == 0:
                if any(kind == CANCEL for kind, _ in link.receive()):
                    run.stop("cancelled")
            elif fd == 1:
                link.flush()
            elif fd == wake:
                os.read(wake, 4096)
            elif not run.relay(fd):
                open_pipes.discard(fd)
        wait = run.watch()
    run.finish()


def wait_for_the_host() -> None:
    """The run is over. Stay until the host lets go, so that it reads everything before the container goes."""
    os.set_blocking(0, True)
    while os.read(0, 4096):
        pass


def main() -> None:
    confine.set_dumpable(0)
    gc.disable()  # a collection while booting finds nothing, and afterwards this process makes next to no garbage
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    wake, wake_write = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()  # the executor shares these pages until it writes to them
    child = Executor()
    link = Link()
    try:
        before = Baseline(child)
        payload, cancelled = serve(link, wake)
        run = Run(link, child, loads(payload), before)
        child.give(payload)
        if cancelled:
            run.stop("cancelled")
        supervise(run, wake)
        wait_for_the_host()
    except HostGone:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
