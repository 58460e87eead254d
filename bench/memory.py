"""The server's memory with no and with many idle onsites."""

from __future__ import annotations

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
SCRIPT = REPO / "tests" / "support" / "idle_devices.py"
COMMAND = "grep -E 'Rss|Pss|Private' /proc/PID/smaps_rollup"


def _memory_kib(pid: int) -> dict[str, int]:
    """rss: its pages; pss: shared ones only in part; private: what would be free without it."""
    kib = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        kib[name.rstrip(":")] = int(value)
    return {"rss": kib["Rss"], "pss": kib["Pss"], "private": kib["Private_Clean"] + kib["Private_Dirty"]}


@contextmanager
def _idle_onsites(lab: Lab, names: list[str]) -> Iterator[None]:
    """They are registered, enrolled and online; afterwards the server knows nothing of them."""
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda name: lab.daemons.add_device(name, "onsite", "a shelf"), names))
        idle = lab["internet"].popen(
            *("python3", SCRIPT, RDV_ADDRESS, RDV_PORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            idle.stdin.write("\n".join(codes) + "\n\n")
            idle.stdin.flush()
            if (said := idle.stdout.readline()) != f"{len(names)} online\n":
                raise LabError(f"{len(names)} idle onsites were to be online: {said.strip() or 'they ended'}")
            yield
            if idle.poll() is not None:
                raise LabError("an idle onsite was lost while the server's memory was read")
        finally:
            idle.stdin.close()
            try:
                idle.wait(20)
            except subprocess.TimeoutExpired:
                idle.kill()
                idle.wait()
            idle.stdout.close()
            list(pool.map(lambda name: lab.daemons.rdvctl("device", "remove", name), names))


def _fresh_server(lab: Lab) -> int:
    """Started anew, so that nothing it did before counts; answers its pid when the lab's own devices are online."""
    server = lab["rdv"].background("rdv-server")
    server.stop()
    lab.daemons.start_server()
    lab.daemons.wait_online([device_name(device) for device in lab.daemons.devices], seconds=60)
    return server.pid


def run(run: Run) -> None:
    """The lab's own two devices are online all the time; they are not among the idle ones."""
    lab, report = run.lab, run.report("memory")
    if not run.wanted("memory", f"idle-{IDLE}", {"rdv"}):
        return
    before, after = [], []
    for n in range(rounds := min(run.pairs, ROUNDS_MAX)):
        pid = _fresh_server(lab)
        time.sleep(SETTLE_S)
        before.append(_memory_kib(pid))
        with _idle_onsites(lab, [f"idle-{i:03}" for i in range(IDLE)]):
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
