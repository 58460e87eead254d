"""TCP between laptop and camera with iperf3, each way, with 1 and with 4 streams, and the CPU time it costs."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from lab.host import Host
from lab.lab import Lab
from lab.process import LabError, until

from .figures import Report, progress
from .subjects import Subject, rdv_and_plain

CASES = {  # as the laptop sees it; options of its iperf3
    "down-1": ["-R"],
    "up-1": [],
    "down-4": ["-R", "-P", "4"],
    "up-4": ["-P", "4"],
}
PORT = 5202
WARM_UP_S = 1  # connections, neighbours, buffers: not counted
GIGABYTE = 1e9


def _iperf(seconds: int, options: list[str], target: str = "CAMERA") -> list[str]:
    return ["iperf3", "-c", target, "-p", str(PORT), "-J", "-t", str(seconds), "--connect-timeout", "5000", *options]


@contextmanager
def _iperf_server(camera: Host) -> Iterator[None]:
    """One for each run: between two runs a lasting one closes its port, and resets who connects just then."""
    server = camera.popen("iperf3", "-s", "-1", "-p", PORT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("iperf3 on the camera", lambda: camera.listens(PORT))
        yield
    finally:
        server.kill()
        server.wait()


class Measured:
    """The figures of one case and subject, one of each per run."""

    def __init__(self) -> None:
        self.mbit: list[float] = []
        self.cpu_per_gigabyte: dict[str, list[float]] = defaultdict(list)

    def run(self, lab: Lab, subject: Subject, seconds: int, options: list[str]) -> None:
        argv = _iperf(seconds, options, subject.target)
        with _iperf_server(lab["camera"]):
            before = subject.cpu_seconds()
            done = lab["laptop"].run(*argv, check=False, seconds=seconds + 20)
            after = subject.cpu_seconds()
        try:
            received = json.loads(done.stdout)["end"]["sum_received"]
            gigabytes = received["bytes"] / GIGABYTE
            self.mbit.append(received["bits_per_second"] / 1e6)
        except (ValueError, KeyError):
            raise LabError(f"{' '.join(argv)}: {done.stdout[-400:] or done.stderr}") from None
        for part, used in after.items():
            self.cpu_per_gigabyte[part].append((used - before[part]) / gigabytes)


def run(lab: Lab, pairs: int, seconds: int) -> None:
    report = Report("throughput")
    with rdv_and_plain(lab) as subjects:
        for case, options in CASES.items():
            measured = {subject.name: Measured() for subject in subjects}
            for subject in subjects:
                Measured().run(lab, subject, WARM_UP_S, options)
            for n in range(pairs):
                report.wait_calm()
                # Whoever is second may profit from the first: they take turns.
                for subject in subjects if n % 2 == 0 else reversed(subjects):
                    measured[subject.name].run(lab, subject, seconds, options)
                rdv, plain = (measured[s.name].mbit[-1] for s in subjects)
                progress(f"throughput {case} {n + 1}/{pairs}: rdv {rdv:.0f}, plain {plain:.0f} Mbit/s")
            _say(report, case, measured, " ".join(_iperf(seconds, options)))


def _say(report: Report, case: str, measured: dict[str, Measured], command: str) -> None:
    for name, figures in measured.items():
        report.line(case, name, "rate", "Mbit/s", figures.mbit, command)
    report.ratio(case, measured["rdv"].mbit, measured["plain"].mbit, command)
    for part, values in measured["rdv"].cpu_per_gigabyte.items():
        report.line(case, "rdv", f"cpu-{part}", "s/GB", values, command)
