"""What the tunnel adds to a ping of an idle laptop."""

from __future__ import annotations

import re

from lab.host import Host
from lab.lab import Lab
from lab.process import LabError

from .figures import Report, percentile, progress
from .subjects import rdv_and_plain

PINGS = 200
INTERVAL_S = 0.01
PERCENTILES = (50, 99)


def _ping(target: str = "CAMERA") -> list[str]:
    return ["ping", "-n", "-i", str(INTERVAL_S), "-c", str(PINGS), "-W", "2", target]


def _round_trips_ms(laptop: Host, target: str) -> list[float]:
    said = laptop.run(*_ping(target), check=False, seconds=PINGS * INTERVAL_S + 30).stdout
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", said)]
    if len(times) < PINGS:
        raise LabError(f"{PINGS - len(times)} of {PINGS} pings to {target} were lost")
    return times


def run(lab: Lab, pairs: int, _seconds: int) -> None:
    report = Report("latency")
    with rdv_and_plain(lab) as subjects:
        measured = {(s.name, p): [] for s in subjects for p in PERCENTILES}
        for n in range(pairs):
            report.wait_calm()
            for subject in subjects if n % 2 == 0 else reversed(subjects):
                times = _round_trips_ms(lab["laptop"], subject.target)
                for p in PERCENTILES:
                    measured[subject.name, p].append(percentile(times, p))
            progress(f"latency {n + 1}/{pairs}: " + ", ".join(f"{s} p{p} {v[-1]:.3f} ms" for (s, p), v in measured.items()))
    for (name, p), values in measured.items():
        report.line("idle", name, f"p{p}", "ms", values, " ".join(_ping()))
    for p in PERCENTILES:
        added = [a - b for a, b in zip(measured["rdv", p], measured["plain", p], strict=True)]
        report.line("idle", "rdv-plain", f"p{p}", "ms", added, " ".join(_ping()))
