"""How long it takes to open a session, with all daemons running and no delay in the network."""

from __future__ import annotations

import json
from pathlib import Path

from lab import people
from lab.lab import Lab

from .figures import Report, progress
from .subjects import ONSITE

OPENS_PER_PAIR = 4
METRICS = {"process_ms": "process", "open_ms": "agent", "echo_ms": "echo"}
SCRIPT = Path(__file__).with_name("open_sessions.py")


def run(lab: Lab, pairs: int, _seconds: int) -> None:
    """One session first that does not count: neighbours and caches."""
    report = Report("open")
    opens = OPENS_PER_PAIR * pairs
    report.wait_calm()
    done = lab["master"].run(
        *("python3", "-", ONSITE, opens + 1),
        privileges=people.OPERATOR,
        stdin=SCRIPT.read_text(),
        seconds=30 * (opens + 1),
    )
    opened = [json.loads(line) for line in done.stdout.splitlines()][1:]
    progress("open: " + " ".join(f"{one['process_ms']:.0f}" for one in opened) + " ms")
    for key, metric in METRICS.items():
        report.line("no-delay", "rdv", metric, "ms", [one[key] for one in opened], "masterdev --json -o ONSITE")
