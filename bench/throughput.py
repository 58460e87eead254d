"""Between laptop and camera with iperf3, each way: TCP with 1 and with 4 streams, UDP; and the CPU time it costs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from lab.host import Host
from lab.lab import Lab
from lab.process import LabError, until

from . import datagrams, turns
from .figures import Report
from .run import Run
from .subjects import Subject

UDP = ["-u", "-b", "1G", "-l", "1200", "--get-server-output"]
CASES = {  # as the laptop sees it; options of its iperf3
    "down-1": ["-R"],
    "up-1": [],
    "down-4": ["-R", "-P", "4"],
    "up-4": ["-P", "4"],
    "udp-down": [*UDP, "-R"],
    "udp-up": UDP,
    "udp-bulk-down": [],
    "udp-bulk-up": [],
}
WITHOUT_IPERF = ("udp-bulk-down", "udp-bulk-up")  # datagrams.py
PORT = 5202
WARM_UP_S = 1  # connections, neighbours, buffers: not counted
GIGABYTE = 1e9
RATIOS = {"rate": "ratio", "cpu-server": "ratio-cpu-server"}  # of these, within each pair


def iperf(seconds: int, options: list[str], target: str = "CAMERA", port: int = PORT) -> list[str]:
    return ["iperf3", "-c", target, "-p", str(port), "-J", "-t", str(seconds), "--connect-timeout", "5000", *options]


@contextmanager
def iperf_server(host: Host, port: int = PORT) -> Iterator[None]:
    """One for each run: between two runs a lasting one closes its port, and resets who connects just then."""
    server = host.popen("iperf3", "-s", "-1", "-p", port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(f"iperf3 on {host.name}", lambda: host.listens(port))
        yield
    finally:
        server.kill()
        server.wait()


def run_iperf(client: Host, argv: list[str], seconds: int) -> dict:
    """What it says at its end; LabError when that is nothing of use."""
    done = client.run(*argv, check=False, seconds=seconds + 20)
    try:
        return json.loads(done.stdout)["end"]
    except (ValueError, KeyError):
        raise LabError(f"{' '.join(argv)}: {done.stdout[-400:] or done.stderr}") from None


def _received(end: dict, udp: bool, seconds: float) -> dict[str, float]:
    """Mbit/s that arrived; with UDP also which share of the packets did not, in percent, and what was sent."""
    if not udp:
        return {"rate": end["sum_received"]["bits_per_second"] / 1e6, "bytes": end["sum_received"]["bytes"]}
    sent, lost = end["sum"]["packets"], end["sum"]["lost_packets"]
    per_packet = end["sum"]["bytes"] / sent
    mbit = per_packet * 8 / 1e6 / end["sum"]["seconds"]
    arrived = max(0, sent - lost)
    return {"rate": arrived * mbit, "bytes": arrived * per_packet, "lost": 100 * lost / sent, "sent": sent * mbit}


def measure(lab: Lab, subject: Subject, seconds: int, options: list[str]) -> dict[str, float]:
    """One run: "rate" and CPU seconds per GB of each part."""
    argv = iperf(seconds, options, subject.target, subject.port(PORT))
    with iperf_server(lab["camera"]):
        before = subject.cpu_seconds()
        end = run_iperf(lab["laptop"], argv, seconds)
        after = subject.cpu_seconds()
    try:
        figures = _received(end, "-u" in options, seconds)
    except (KeyError, ZeroDivisionError):
        raise LabError(f"{' '.join(argv)} says nothing of what arrived: {json.dumps(end)[:300]}") from None
    gigabytes = figures.pop("bytes") / GIGABYTE
    if not gigabytes:
        raise LabError(f"{' '.join(argv)}: nothing arrived")
    return figures | {f"cpu-{part}": (used - before[part]) / gigabytes for part, used in after.items()}


def run(run: Run) -> None:
    report = run.report("throughput")
    for case, options in CASES.items():
        kind = "udp" if case.startswith("udp") else "tcp"
        names = {"rdv", "plain", *(peer.name for peer in run.peers if kind in peer.carries)}
        if run.wanted("throughput", case, names):
            with run.attempt(f"throughput {case}"):
                _case(run, report, case, options, names)


def _case(run: Run, report: Report, case: str, options: list[str], names: set[str]) -> None:
    def one(subject: Subject, seconds: int = run.seconds) -> dict[str, float]:
        if case in WITHOUT_IPERF:
            return datagrams.measure(run.lab, subject, seconds, case.endswith("down"))
        return measure(run.lab, subject, seconds, options)

    with run.ways() as (rdv, others):
        able = [other for other in others if other.name in names]
        for subject in (rdv, *able):
            one(subject, WARM_UP_S)
        taken = turns.take(report, f"throughput {case}", rdv, able, run.pairs, one)
    say(report, case, taken, datagrams.COMMAND if case in WITHOUT_IPERF else " ".join(iperf(run.seconds, options)))
    run.done()


def say(report: Report, case: str, taken: turns.Taken, command: str) -> None:
    """All figures of a case, and how rdv compares with each of the others pair by pair."""
    units = {"rate": "Mbit/s", "lost": "%", "sent": "Mbit/s"}
    for name, figures in taken.alone.items():
        for metric, values in figures.items():
            report.line(case, name, metric, units.get(metric, "s/GB"), values, command)
    for name, figures in taken.pairs.items():
        for metric, ratio in RATIOS.items():
            if pairs := [(a, b) for a, b in figures.get(metric, []) if b]:
                report.line(case, f"rdv/{name}", ratio, "", [a / b for a, b in pairs], command)
