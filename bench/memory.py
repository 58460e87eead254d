"""The server's memory with no and with many idle onsites, and with sessions whose ends take nothing."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab.daemons import device_name
from lab.host import REPO
from lab.lab import Lab
from lab.process import LabError
from lab.topology import RDV_ADDRESS, RDV_PORT

from .figures import progress
from .run import Run

IDLE = 300
SETTLE_S = 1.0  # the connections they enrolled by are closed by then
ROUNDS_MAX = 3
SESSIONS = 50
SUPPORT = REPO / "tests" / "support"
COMMAND = "grep -E 'Rss|Pss|Private' /proc/PID/smaps_rollup"


def _memory_kib(pid: int) -> dict[str, int]:
    """rss: its pages; pss: shared ones only in part; private: what would be free without it."""
    kib = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        kib[name.rstrip(":")] = int(value)
    return {"rss": kib["Rss"], "pss": kib["Pss"], "private": kib["Private_Clean"] + kib["Private_Dirty"]}


def _kernel_kib(lab: Lab) -> float:
    """What the kernel keeps for all connections to the server: received, to be sent, reserved (ss(8), skmem)."""
    said = lab["rdv"].run("ss", "-tmnH", "sport", "=", f":{RDV_PORT}").stdout
    return sum(map(int, re.findall(r"\b[rfw](\d+)", " ".join(re.findall(r"skmem:\(([^)]*)\)", said))))) / 1024


def _pipes_kib(pid: int) -> float:
    """What its pipes can hold."""
    found = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if (pipe := os.readlink(descriptor)).startswith("pipe:") and pipe not in found:
            with open(os.open(descriptor, os.O_RDONLY | os.O_NONBLOCK)) as opened:
                found[pipe] = fcntl.fcntl(opened, fcntl.F_GETPIPE_SZ) / 1024
    return sum(found.values())


class Crowd:
    """A program that plays many devices: it is given their codes, then told what to do, and answers each line."""

    def __init__(self, lab: Lab, script: Path, codes: list[str], devices: int) -> None:
        self._program = lab["internet"].popen(
            *("python3", script, RDV_ADDRESS, RDV_PORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self.tell("\n".join(codes) + "\n", f"{devices} online")
        except BaseException:
            self.end()
            raise

    def tell(self, line: str, expected: str) -> None:
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()
        if not re.fullmatch(expected, said := self._program.stdout.readline().strip()):
            raise LabError(f"the server's devices should have said {expected!r}: {said or 'they ended'}")

    def end(self) -> bool:
        """Whether it was there until now."""
        alive = self._program.poll() is None
        self._program.stdin.close()
        try:
            self._program.wait(20)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        self._program.stdout.close()
        return alive


@contextmanager
def _crowd(lab: Lab, script: str, devices: dict[str, str], codes_in_a_line: int = 1) -> Iterator[Crowd]:
    """These devices (role by name) are registered, enrolled and online; afterwards the server knows nothing of them."""
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda name: lab.daemons.add_device(name, devices[name], "a shelf"), devices))
        lines = [" ".join(codes[at : at + codes_in_a_line]) for at in range(0, len(codes), codes_in_a_line)]
        try:
            crowd = Crowd(lab, SUPPORT / script, lines, len(codes))
            try:
                yield crowd
            finally:
                stayed = crowd.end()
            if not stayed:
                raise LabError("a device was lost while the server's memory was read")
        finally:
            list(pool.map(lambda name: lab.daemons.rdvctl("device", "remove", name), devices))


def _fresh_server(lab: Lab) -> int:
    """Started anew, so that nothing it did before counts; answers its pid when the lab's own devices are online."""
    server = lab["rdv"].background("rdv-server")
    server.stop()
    lab.daemons.start_server()
    lab.daemons.wait_online([device_name(device) for device in lab.daemons.devices], seconds=60)
    return server.pid


def run(run: Run) -> None:
    """The lab's own two devices are online all the time; they are not among the others."""
    if run.wanted("memory", f"idle-{IDLE}", {"rdv"}):
        _idle(run)
    if run.wanted("memory", "session", {"rdv"}):
        _sessions(run)


def _idle(run: Run) -> None:
    lab, report = run.lab, run.report("memory")
    before, after = [], []
    for n in range(rounds := min(run.pairs, ROUNDS_MAX)):
        pid = _fresh_server(lab)
        time.sleep(SETTLE_S)
        before.append(_memory_kib(pid))
        with _crowd(lab, "idle_devices.py", {f"idle-{i:03}": "onsite" for i in range(IDLE)}):
            time.sleep(SETTLE_S)
            after.append(_memory_kib(pid))
        progress(f"memory {n + 1}/{rounds}: {before[-1]} KiB, with {IDLE} idle onsites {after[-1]} KiB")
    for metric in ("rss", "pss", "private"):
        none, many = ([one[metric] for one in each] for each in (before, after))
        report.line("idle-0", "rdv", metric, "KiB", none, COMMAND)
        report.line(f"idle-{IDLE}", "rdv", metric, "KiB", many, COMMAND)
        each = [(b - a) / IDLE for a, b in zip(none, many, strict=True)]
        report.line("per-device", "rdv", metric, "KiB", each, COMMAND)
    run.done()


def _sessions(run: Run) -> None:
    """What a session costs beyond its devices when it is quiet, and when both its ends send and take nothing."""
    lab, report = run.lab, run.report("memory")
    each: dict[str, list[dict[str, float]]] = {"session": [], "session-stuck": []}
    devices = {f"{role}-{i:02}": role for i in range(SESSIONS) for role in ("onsite", "master")}
    steps = (("session", "open", f"{SESSIONS} open"), ("session-stuck", "fill", r"filled \d+"))
    for n in range(rounds := min(run.pairs, ROUNDS_MAX)):
        pid = _fresh_server(lab)
        with _crowd(lab, "sessions.py", devices, codes_in_a_line=2) as crowd:
            time.sleep(SETTLE_S)
            before = _memory_kib(pid) | {"kernel": _kernel_kib(lab), "pipes": _pipes_kib(pid)}
            for case, word, expected in steps:
                crowd.tell(word, expected)
                time.sleep(SETTLE_S)
                now = _memory_kib(pid) | {"kernel": _kernel_kib(lab), "pipes": _pipes_kib(pid)}
                each[case].append({metric: (now[metric] - before[metric]) / SESSIONS for metric in now})
        last = {case: figures[-1] for case, figures in each.items()}
        progress(f"memory {n + 1}/{rounds}: KiB for each session {last}")
    for case, figures in each.items():
        for metric in figures[0]:
            report.line(case, "rdv", metric, "KiB", [one[metric] for one in figures], COMMAND)
    run.done()
