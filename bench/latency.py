"""What the tunnel adds to a ping of an idle laptop."""

from __future__ import annotations

import re

from lab.host import Host
from lab.process import LabError

from . import turns
from .figures import percentile
from .run import Run
from .subjects import Subject

PINGS = 200
INTERVAL_S = 0.01
PERCENTILES = (50, 99)
CASE = "idle"


def _ping(target: str = "CAMERA") -> list[str]:
    return ["ping", "-n", "-i", str(INTERVAL_S), "-c", str(PINGS), "-W", "2", target]


def _round_trips_ms(laptop: Host, target: str) -> list[float]:
    said = laptop.run(*_ping(target), check=False, seconds=PINGS * INTERVAL_S + 30).stdout
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", said)]
    if len(times) < PINGS:
        raise LabError(f"{PINGS - len(times)} of {PINGS} pings to {target} were lost")
    return times


def run(run: Run) -> None:
    report = run.report("latency")
    with run.ways() as (rdv, others):
        able = [other for other in others if "icmp" in other.carries]
        if not run.wanted("latency", CASE, {"rdv", *(other.name for other in able)}):
            return

        def one(subject: Subject) -> dict[str, float]:
            times = _round_trips_ms(run.lab["laptop"], subject.target)
            return {f"p{p}": percentile(times, p) for p in PERCENTILES}

        taken = turns.take(report, "latency", rdv, able, run.pairs, one)
    command = " ".join(_ping())
    for name, figures in taken.alone.items():
        for metric, values in figures.items():
            report.line(CASE, name, metric, "ms", values, command)
    for metric, pairs in taken.pairs["plain"].items():
        report.line(CASE, "rdv-plain", metric, "ms", [a - b for a, b in pairs], command)
    run.done()
