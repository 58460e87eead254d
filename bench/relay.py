"""The relay's forwarding code as a plain TCP forwarder, without TLS and sessions, beside HAProxy.

iperf3 runs on the `internet` host, through the `rdv` host and back: internet -> rdv:PORT -> internet. What the relay costs
inside a tunnel is in `throughput`: cpu-server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.host import build_dir
from lab.lab import Lab
from lab.process import Background, LabError, until
from lab.topology import RDV_ADDRESS

from . import haproxy, turns
from .run import Run
from .subjects import cpu_seconds_of
from .throughput import GIGABYTE, iperf, iperf_server, run_iperf

TARGET, TARGET_PORT = "203.0.113.1", 5300  # the internet's end of the cable to rdv
PORTS = {"rdv": 5301, "haproxy": 5302, "haproxy-copy": 5303}
CASES = {"down": ["-R"], "up": []}  # to and from who connected
WARM_UP_S = 1
PROGRAM = "rdv-plain-forwarder"


@dataclass(frozen=True)
class Forwarder:
    name: str
    port: int
    program: Background


def program_path():
    return build_dir() / "bench" / "micro" / PROGRAM


@contextmanager
def _ours(lab: Lab) -> Iterator[Background]:
    host, path = lab["rdv"], program_path()
    if not path.exists():
        raise LabError(f"no {path}: build it with: scripts/build release {PROGRAM}")
    program = host.start(PROGRAM, path, f"{RDV_ADDRESS}:{PORTS['rdv']}", f"{TARGET}:{TARGET_PORT}")
    try:
        until(f"{PROGRAM} on port {PORTS['rdv']}", lambda: host.listens(PORTS["rdv"]))
        yield program
    finally:
        program.stop()


def _measure(run: Run, forwarder: Forwarder, seconds: int, options: list[str]) -> dict[str, float]:
    host = run.lab["internet"]
    with iperf_server(host, TARGET_PORT):
        before = cpu_seconds_of([forwarder.program])
        end = run_iperf(host, iperf(seconds, options, RDV_ADDRESS, forwarder.port), seconds)
        used = cpu_seconds_of([forwarder.program]) - before
    received = end["sum_received"]
    return {"rate": received["bits_per_second"] / 1e6, "cpu": used / (received["bytes"] / GIGABYTE)}


def run(run: Run) -> None:
    report, target = run.report("relay"), f"{TARGET}:{TARGET_PORT}"
    with ExitStack() as stack:
        ours = Forwarder("rdv", PORTS["rdv"], stack.enter_context(_ours(run.lab)))
        others = [
            Forwarder(name, PORTS[name], stack.enter_context(haproxy.forwarder(run.lab, name, PORTS[name], target, splice)))
            for name, splice in (("haproxy", True), ("haproxy-copy", False))
            if run.with_peers
        ]
        for case, options in CASES.items():
            if not run.wanted("relay", case, {"rdv", *(other.name for other in others)}):
                continue
            for forwarder in (ours, *others):
                _measure(run, forwarder, WARM_UP_S, options)
            taken = turns.take(
                report, f"relay {case}", ours, others, run.pairs, lambda f, o=options: _measure(run, f, run.seconds, o)
            )
            command = " ".join(iperf(run.seconds, options, "RDV"))
            for name, figures in taken.alone.items():
                report.line(case, name, "rate", "Mbit/s", figures["rate"], command)
                report.line(case, name, "cpu", "s/GB", figures["cpu"], command)
            for name, figures in taken.pairs.items():
                report.line(case, f"rdv/{name}", "ratio-cpu", "", [a / b for a, b in figures["cpu"]], command)
            run.done()
