"""Full mutual TLS handshakes: what one costs rdv-server, to the Welcome of a control connection; HAProxy for comparison."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.lab import Lab
from lab.process import Background, LabError
from lab.topology import RDV_ADDRESS, RDV_PORT

from . import haproxy, turns
from .peers.pki import Pki
from .run import Run
from .subjects import cpu_seconds_of

SCRIPT = Path(__file__).with_name("probes") / "handshakes.py"
CASE = "full"
WORKERS = 4  # of one address: the server lets 16 be half-way at a time
DEVICES = 16  # they take turns: one that is there twice would be taken for a thief
HAPROXY_PORT = 8443
SECONDS = 4
COMMAND = f"bench/probes/handshakes.py, {WORKERS} at a time"


@dataclass(frozen=True)
class Server:
    name: str
    program: Background
    clients: subprocess.Popen

    def measure(self, seconds: float) -> dict[str, float]:
        """Handshakes per second, and the server's CPU ms for each."""
        before = cpu_seconds_of([self.program])
        self.clients.stdin.write(f"{seconds}\n")
        self.clients.stdin.flush()
        said = self.clients.stdout.readline().strip()
        used = cpu_seconds_of([self.program]) - before
        if not said.isdecimal() or int(said) == 0:
            raise LabError(f"{self.name}: the clients ended")
        return {"cpu": 1000 * used / int(said), "rate": int(said) / seconds}


@contextmanager
def _clients(lab: Lab, kind: str, port: int, *options: object, codes: list[str] | None = None) -> Iterator[subprocess.Popen]:
    clients = lab["internet"].popen(
        *("python3", SCRIPT, kind, RDV_ADDRESS, port, WORKERS, *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if codes is not None:
            clients.stdin.write("".join(f"{code}\n" for code in [*codes, ""]))
            clients.stdin.flush()
        if clients.stdout.readline() != "ready\n":
            raise LabError(f"the clients of {kind} did not become ready")
        yield clients
    finally:
        clients.stdin.close()
        try:
            clients.wait(10)
        except subprocess.TimeoutExpired:
            clients.kill()
            clients.wait()
        clients.stdout.close()


@contextmanager
def _rdv(lab: Lab) -> Iterator[Server]:
    names = [f"knock-{n:02}" for n in range(DEVICES)]
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda name: lab.daemons.add_device(name, "onsite", "a shelf"), names))
        try:
            with _clients(lab, "rdv", RDV_PORT, codes=codes) as clients:
                yield Server("rdv", lab["rdv"].background("rdv-server"), clients)
        finally:
            list(pool.map(lambda name: lab.daemons.rdvctl("device", "remove", name), names))


@contextmanager
def _haproxy(lab: Lab) -> Iterator[Server]:
    pki = Pki(lab.root / "peers" / "pki")
    pki.make()
    with haproxy.tls_server(lab, pki, HAPROXY_PORT) as program:
        with _clients(lab, "http", HAPROXY_PORT, pki["ca.crt"], pki["master.pem"]) as clients:
            yield Server("haproxy", program, clients)


def run(run: Run) -> None:
    if not run.wanted("handshake", CASE, {"rdv", *(["haproxy"] if run.with_peers else [])}):
        return
    report = run.report("handshake")
    with ExitStack() as stack:
        ours = stack.enter_context(_rdv(run.lab))
        others = [stack.enter_context(_haproxy(run.lab))] if run.with_peers else []
        for server in (ours, *others):
            server.measure(0.5)
        taken = turns.take(report, "handshake", ours, others, run.pairs, lambda server: server.measure(SECONDS))
    for name, figures in taken.alone.items():
        report.line(CASE, name, "cpu", "ms", figures["cpu"], COMMAND)
        report.line(CASE, name, "rate", "1/s", figures["rate"], COMMAND)
    for name, figures in taken.pairs.items():
        report.line(CASE, f"rdv/{name}", "ratio-cpu", "", [a / b for a, b in figures["cpu"]], COMMAND)
    run.done()
