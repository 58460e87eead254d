"""What a process holds: descriptors, memory, threads, and how often it wakes up when nothing happens."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from lab.process import Background, LabError


@dataclass(frozen=True)
class Held:
    descriptors: int  # that are no pipes
    pipes: int  # ends of pipes
    rss_kb: int
    threads: int


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _pid(process: Background) -> int:
    if not (pid := process.pid):
        raise LabError(f"{process.name} does not run")
    return pid


def _what(pid: int, fd: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return ""  # closed meanwhile


def held(process: Background) -> Held:
    pid = _pid(process)
    status = _status(pid)
    kinds = [_what(pid, fd) for fd in os.listdir(f"/proc/{pid}/fd")]
    pipes = sum(kind.startswith("pipe:") for kind in kinds)
    return Held(len(kinds) - pipes, pipes, int(status["VmRSS"].split()[0]), int(status["Threads"]))


def wakeups(process: Background, seconds: float = 2.0) -> int:
    """How often it went to sleep in this time. A timer that was forgotten shows here, and nowhere else outside."""
    pid = _pid(process)
    before = int(_status(pid)["voluntary_ctxt_switches"])
    time.sleep(seconds)
    return int(_status(pid)["voluntary_ctxt_switches"]) - before
