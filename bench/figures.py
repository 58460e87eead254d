"""What a benchmark says: JSON lines on standard output (and kept, if asked), progress on standard error."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lab.host import REPO

from .results import Results

CALM_BUSY = 0.10  # share of all CPUs
CALM_WAIT_S = 8.0
CALM_SAMPLE_S = 0.4


def progress(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


MEASURED = ("CMakeLists.txt", "cmake", "dbus", "libtunnel", "rdv-server", "tundev")  # what programs are made of


@cache
def version() -> str:
    """The last commit that changed what programs are made of; "-dirty" when these differ from it. "" outside a git tree."""

    def git(*argv: str) -> str:
        command = ["git", "-C", str(REPO), *argv, "--", *MEASURED]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    return git("log", "-1", "--format=%h") + ("-dirty" if git("status", "--porcelain") else "")


def cpu_model() -> str:
    """Its name and how many of them, e.g. "AMD EPYC x2"."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()} x{os.cpu_count()}"
    return f"{platform.machine()} x{os.cpu_count()}"


def _cpu_ticks() -> tuple[int, int]:
    """Ticks since boot of all CPUs together: busy, all."""
    ticks = [int(t) for t in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


class Report:
    """Writes the figures of one benchmark. `load` is the machine's load average when it began."""

    def __init__(self, bench: str, results: Results | None = None) -> None:
        """`results`: where the figures are kept too."""
        self.bench = bench
        self._results = results
        self._busy_before: list[float] = []
        self._about = {
            "kernel": platform.release().split("-")[0],  # without whose build it is
            "cpu": cpu_model(),
            "version": version(),
            "nice": os.nice(0),
            "load": round(os.getloadavg()[0], 2),
        }

    def wait_calm(self) -> None:
        """Waits until others leave the machine alone, for CALM_WAIT_S at most; how busy it was then is reported."""
        deadline = time.monotonic() + CALM_WAIT_S
        while True:
            busy, everything = _cpu_ticks()
            time.sleep(CALM_SAMPLE_S)
            busy_now, everything_now = _cpu_ticks()
            share = (busy_now - busy) / max(1, everything_now - everything)
            if share <= CALM_BUSY or time.monotonic() > deadline:
                self._busy_before.append(share)
                return

    def line(
        self, case: str, subject: str, metric: str, unit: str, values: Sequence[float], command: str
    ) -> None:
        """One figure: `values` are what was measured, one per repetition, in `unit`."""
        if not values:
            raise ValueError(f"nothing was measured for {self.bench} {case} {subject} {metric}")
        figures = {
            "bench": self.bench,
            "case": case,
            "subject": subject,
            "metric": metric,
            "unit": unit,
            "median": _rounded(statistics.median(values)),
            "min": _rounded(min(values)),
            "max": _rounded(max(values)),
            "n": len(values),
            "command": command,
        }
        if self._busy_before:
            figures["busy_before"] = _rounded(statistics.median(self._busy_before))
        figures |= self._about
        print(json.dumps(figures), flush=True)
        if self._results:
            self._results.add(figures)


def _rounded(value: float) -> float:
    """To four digits: more of them would be noise."""
    return float(f"{value:.4g}")
