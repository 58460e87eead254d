"""How long it takes to open a session, with all daemons running, near and far."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import people
from lab.process import LabError

from . import subjects
from .figures import Report, progress
from .peers import Peer
from .run import Run

CASES: dict[str, dict[str, float]] = {  # one way, in ms, on the cable of a router
    "no-delay": {},
    "rtt-100": {"router-b": 50},
    "rtt-100-halves": {"router-a": 25, "router-b": 25},
}
OPENS_PER_PAIR = 4
METRICS = {"process_ms": "process", "open_ms": "agent", "echo_ms": "echo"}
SCRIPT = Path(__file__).with_name("open_sessions.py")
PEER_COMMAND = "start the master's end; ping -i 0.01 CAMERA until the first reply"
PEERS_TIMED = ("openvpn", "oldstack", "ocserv")
SETTLE_S = 0.5  # after a peer's end: its server has noticed
FIRST_REPLY_S = 20.0


def _rdv(run: Run, report: Report, case: str) -> None:
    """One session first that does not count: neighbours and caches."""
    opens = OPENS_PER_PAIR * run.pairs
    report.wait_calm()
    done = run.lab["master"].run(
        *("python3", "-", subjects.ONSITE, opens + 1),
        privileges=people.OPERATOR,
        stdin=SCRIPT.read_text(),
        seconds=30 * (opens + 1),
    )
    opened = [json.loads(line) for line in done.stdout.splitlines()][1:]
    progress(f"open {case}: rdv " + " ".join(f"{one['process_ms']:.0f}" for one in opened) + " ms")
    for key, metric in METRICS.items():
        report.line(case, "rdv", metric, "ms", [one[key] for one in opened], "masterdev --json -o ONSITE")


def _first_reply_ms(run: Run, peer: Peer) -> float:
    """From the start of the master's end to the first reply the laptop sees; it pings all the while."""
    peer.stop_master()
    time.sleep(SETTLE_S)
    laptop = run.lab["laptop"]
    started = time.monotonic()
    ping = laptop.popen(
        *("timeout", FIRST_REPLY_S, "ping", "-n", "-i", "0.01", peer.target),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        peer.start_master()
        for line in ping.stdout:
            if re.search(r"bytes from .* time=", line):
                return (time.monotonic() - started) * 1000
    finally:
        ping.kill()
        ping.wait()
        ping.stdout.close()
    raise LabError(f"{peer.name}: no reply within {FIRST_REPLY_S:g} s")


def _peers(run: Run, report: Report, case: str) -> None:
    with subjects.session_open(run.lab):
        for peer in run.peers:
            if peer.name not in PEERS_TIMED:
                continue
            peer.wait()
            report.wait_calm()
            times = [_first_reply_ms(run, peer) for _ in range(run.pairs + 1)][1:]
            progress(f"open {case}: {peer.name} " + " ".join(f"{one:.0f}" for one in times) + " ms")
            report.line(case, peer.name, "process", "ms", times, PEER_COMMAND)


@contextmanager
def _delays(run: Run, one_way_ms: dict[str, float]) -> Iterator[None]:
    """On the cables of these routers."""
    try:
        for router, delay in one_way_ms.items():
            run.lab.emulate(router, delay_ms=delay)
        yield
    finally:
        for router in one_way_ms:
            run.lab.emulate_off(router)


def run(run: Run) -> None:
    timed = {peer.name for peer in run.peers} & set(PEERS_TIMED)
    for case, delays in CASES.items():
        if not run.wanted("open", case, {"rdv", *timed}):
            continue
        report = run.report("open")
        with _delays(run, delays):
            _rdv(run, report, case)
            _peers(run, report, case)
        run.done()
