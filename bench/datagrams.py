"""UDP with a sender that costs next to nothing (probes/datagrams.py): 1 Gbit/s is offered indeed, also on two slow cores."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.lab import Lab
from lab.process import LabError

from .subjects import Subject

SCRIPT = Path(__file__).with_name("probes") / "datagrams.py"
PORT = 5203
OFFER = (1000, 1200)  # Mbit/s, bytes of each
LAST_S = 0.5  # for what is still on its way
COMMAND = f"bench/probes/datagrams.py, {OFFER[0]} Mbit/s in datagrams of {OFFER[1]} bytes, UDP_SEGMENT"


def _popen(lab: Lab, host: str, *argv: object) -> subprocess.Popen:
    return lab[host].popen("python3", SCRIPT, *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measure(lab: Lab, subject: Subject, seconds: int, down: bool) -> dict[str, float]:
    """As throughput.measure: Mbit/s that arrived, per cent lost, Mbit/s sent, CPU seconds per GB that arrived."""
    if down:
        starts = (("camera", "serve", PORT, *OFFER, seconds), ("laptop", "pull", subject.target, PORT))
    else:
        starts = (("camera", "count", PORT), ("laptop", "blast", subject.target, PORT, *OFFER, seconds))
    first = _popen(lab, *starts[0])
    running = [first]
    try:
        if first.stdout.readline() != "ready\n":
            raise LabError("datagrams.py on the camera does not run")
        before = subject.cpu_seconds()
        running.append(_popen(lab, *starts[1]))
        sender, counter = running if down else reversed(running)
        if down:
            counter.stdout.readline()  # ready
        sender.wait(seconds + 20)
        try:
            counter.wait(LAST_S)
        except subprocess.TimeoutExpired:
            counter.stdin.close()
        after = subject.cpu_seconds()
        sent, arrived = (int(one.stdout.readline() or 0) for one in (sender, counter))
    finally:
        for one in running:
            one.kill()
            one.wait()
            one.stdout.close()
    if not arrived or not sent:
        raise LabError(f"{subject.name}: nothing arrived")
    figures = {"rate": arrived * 8e-6 / seconds, "lost": 100 * max(0.0, 1 - arrived / sent), "sent": sent * 8e-6 / seconds}
    return figures | {f"cpu-{part}": (used - before[part]) / (arrived / 1e9) for part, used in after.items()}
