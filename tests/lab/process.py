"""Processes of the lab: started in the background, remembered by pid and start time, ended by pid only."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


# How long everything waits for what comes soon on a calm machine: one that is busy may stand still for some seconds.
COMES_S = 30


class LabError(Exception):
    """Something the lab attempted did not work; the text says what and why."""


def until(what: str, condition: Callable[[], object], seconds: float = COMES_S, every: float = 0.02):
    """Waits for `condition()` to answer something true and returns it.

    Raises LabError naming `what` when it is still not so after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() > deadline  # seen before it is asked: what came while we did not run counts, too
        if answer := condition():
            return answer
        if is_last:
            raise LabError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)


def run(argv: list[str], stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess:
    """Runs a command to its end; with `check`, a failure is a LabError with what it said."""
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=60)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
    return done


def stat_of(pid: int) -> tuple[str, str] | None:
    """State letter and start time (in ticks since boot) of a process; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return fields[0], fields[19]


def is_alive(pid: int) -> bool:
    """False also for a zombie: nobody may have waited for it yet, but it does nothing any more.

    The first of several threads is one while the others end, and its files are open yet.
    """
    try:
        os.waitpid(pid, os.WNOHANG)  # ours, perhaps: then its exit status is not needed
    except ChildProcessError:
        pass
    stat = stat_of(pid)
    return stat is not None and (stat[0] not in "ZX" or has_threads(pid))


def has_threads(pid: int) -> bool:
    """Besides its first."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def command_of(pid: int) -> str:
    """Its command line, for a person; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def end_all(pids: list[int], seconds: float = 3.0) -> None:
    """SIGTERM, then SIGKILL for those that did not listen. Returns when all are gone."""
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(is_alive(p) for p in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in pids:
        if is_alive(pid):
            _signal(pid, signal.SIGKILL)
    until(f"the end of {pids}", lambda: not any(is_alive(p) for p in pids))


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Background:
    """One named background process of one host: its pid in `pid_file`, its output in `log_file`.

    The pid file holds the start time too, so that a pid that was given to somebody else is never
    taken for ours.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.pid_file = directory / f"{name}.pid"
        self.log_file = directory / f"{name}.log"

    @property
    def pid(self) -> int:
        """0 when it does not run."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return 0
        stat = stat_of(int(pid))
        return int(pid) if stat and stat[1] == started and is_alive(int(pid)) else 0

    @property
    def log(self) -> str:
        try:
            return self.log_file.read_text(errors="replace")
        except OSError:
            return ""

    def start(
        self, argv: list[str], env: dict[str, str] | None = None, pass_fds: tuple[int, ...] = ()
    ) -> int:
        """Starts it; the log grows over restarts. The caller waits for what tells that it is ready."""
        with self.log_file.open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        stat = stat_of(child.pid)
        written = self.pid_file.with_suffix(".new")
        written.write_text(f"{child.pid} {stat[1] if stat else 0}\n")
        written.rename(self.pid_file)  # whoever asks meanwhile reads the last one or this one
        child.returncode = 0  # it is not waited for here: Popen must not complain about that
        return child.pid

    def signal(self, number: int) -> None:
        if pid := self.pid:
            _signal(pid, number)

    def stop(self, seconds: float = COMES_S) -> None:
        """SIGTERM, and waits until it is gone; SIGKILL for one that has not ended in time."""
        if pid := self.pid:
            end_all([pid], seconds)

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        if pid := self.pid:
            _signal(pid, signal.SIGKILL)
            until(f"the end of {self.name}", lambda: not is_alive(pid), every=0.005)

    def wait_log(self, text: str, seconds: float = COMES_S, offset: int = 0) -> None:
        """Waits for `text` in what it logged behind the first `offset` characters.

        Raises LabError with the log's last lines when it does not come, or at once when it has ended.
        """

        def there() -> bool:
            runs = self.pid  # before its log is read: its last words are in it
            if text in self.log[offset:]:
                return True
            if not runs:
                raise LabError(f"{self.name} has ended; it said:\n{tail(self.log)}")
            return False

        until(f"{text!r} in {self.log_file}", there, seconds)


def tail(text: str, lines: int = 15) -> str:
    return "\n".join("    " + line for line in text.splitlines()[-lines:])
