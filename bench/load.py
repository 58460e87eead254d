"""Latency under load: a bulk transfer fills a slow link; ping, a typist over ssh and a thin flow go beside it."""

from __future__ import annotations

import json
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.process import LabError

from . import links, subjects, turns
from .figures import Report, percentile
from .links import PLACES, Place
from .run import Run
from .subjects import Subject

PROBES = Path(__file__).with_name("probes")
BULK_PORT = 5210
ECHO_PORT = 7  # UDP, of the camera
SSH_PORT = 22
PING_S, KEY_S = 0.05, 0.1  # how often
IDLE_S = 1.5
MEASURED_S = 8.0
SETTLE_S = {10: 3.0, 1: 10.0, 100: 5.0}  # by rate in Mbit/s: until the bulk flows have found it
LOSS_MEASURED_S = 20.0
PEERS = {"openvpn-tuned"}  # in the quick cases: it shows the same picture in all of them
LOSS_PEERS = {"openvpn", "openvpn-tuned"}
QUICK = {f"{place}-10-40-1" for place in PLACES} | {
    *("onsite-up-10-0-4", "onsite-up-10-150-4", "onsite-up-1-40-1", "onsite-down-1-40-1"),
    *("onsite-up-10-40-8-thin", "loss-down-150", "loss-up-150"),
}
COMMAND = "bulk flows over the slow link; ping -i 0.05 CAMERA; a key every 0.1 s over ssh"


@dataclass(frozen=True)
class Case:
    place: Place
    rate_mbit: int
    rtt_ms: int
    flows: int
    thin: bool = False
    loss: float = 0

    @property
    def idle_ms(self) -> float:
        """A ping that takes no longer met no queue."""
        return self.rtt_ms + (links.IDLE_SLACK_LOSS_MS if self.loss else links.IDLE_SLACK_MS)

    @property
    def settle_s(self) -> float:
        return SETTLE_S[self.rate_mbit]


def cases() -> dict[str, Case]:
    """PLACE-MBIT-RTT-FLOWS; with "-thin" a thin UDP flow beside them; and throughput where 1 % of all frames is lost."""
    found = {
        f"{name}-{rate}-{rtt}-{flows}": Case(place, rate, rtt, flows)
        for rate, several in ((10, (1, 4)), (1, (1,)))
        for name, place in PLACES.items()
        for rtt in (0, 40, 150)
        for flows in several
    }
    for name in ("onsite-up", "onsite-down"):
        found[f"{name}-10-40-8-thin"] = Case(PLACES[name], 10, 40, 8, thin=True)
    for way, name in (("down", "onsite-up"), ("up", "onsite-down")):
        found[f"loss-{way}-150"] = Case(PLACES[name], 100, 150, 1, loss=1)
    return found


class Bulk:
    """Flows in the slow direction from start to end(); `arrived(a, b)` says how many bytes between two times."""

    def __init__(self, run: Run, subject: Subject, case: Case) -> None:
        camera, laptop = run.lab["camera"], run.lab["laptop"]
        bulk = PROBES / "bulk.py"
        pipes = {"stdout": subprocess.PIPE, "text": True}
        self._listener = camera.popen("python3", bulk, "listen", BULK_PORT, **pipes)
        self._listener.stdout.readline()
        way = "pull" if case.place.pull else "push"
        argv = ("python3", bulk, way, subject.target, subject.port(BULK_PORT), case.flows)
        self._dialler = laptop.popen(*argv, stdin=subprocess.PIPE, **pipes)
        self._receiver = self._dialler if case.place.pull else self._listener
        self._counts: list[tuple[float, int]] = []

    def wait_flowing(self) -> None:
        if not self._dialler.stdout.readline():
            raise LabError("the bulk flows did not come about")

    def end(self) -> None:
        """Twice is once."""
        if self._dialler.stdin.closed:
            return
        self._dialler.stdin.close()
        try:
            self._dialler.wait(5)
        except subprocess.TimeoutExpired:
            self._dialler.kill()
            self._dialler.wait()
        self._listener.kill()
        self._listener.wait()
        for line in self._receiver.stdout.read().splitlines():
            if len(words := line.split()) == 2:
                self._counts.append((float(words[0]), int(words[1])))
        self._dialler.stdout.close()
        self._listener.stdout.close()

    def mbit(self, begin: float, end: float) -> float:
        inside = [(at, count) for at, count in self._counts if begin <= at <= end]
        if len(inside) < 2:
            return 0.0
        (first, before), (last, after) = inside[0], inside[-1]
        return (after - before) * 8 / 1e6 / (last - first)


class Typist:
    """keys.py on the laptop, logged in."""

    def __init__(self, run: Run, subject: Subject) -> None:
        laptop = run.lab["laptop"]
        options = ("-F", laptop.directory / "ssh_config", "-p", subject.port(SSH_PORT), "-o", "HostKeyAlias=camera", "-o", "LogLevel=ERROR")
        argv = (*links.PUNCTUAL, "python3", PROBES / "keys.py", *options, subject.target)
        self._keys = laptop.popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._keys.stdout.readline() != "ready\n":
            self.end()
            raise LabError(f"{subject.name}: no ssh to {subject.target}")

    def type(self, seconds: float) -> list[float | None]:
        self._keys.stdin.write(f"{round(seconds / KEY_S)} {KEY_S}\n")
        self._keys.stdin.flush()
        line = self._keys.stdout.readline()
        return json.loads(line) if line else []

    def end(self) -> None:
        self._keys.stdin.close()
        try:
            self._keys.wait(15)
        except subprocess.TimeoutExpired:
            self._keys.kill()
            self._keys.wait()
        self._keys.stdout.close()


class Probe(threading.Thread):
    """Runs a function beside the others; `answer()` waits for it."""

    def __init__(self, function, *arguments: object) -> None:
        super().__init__(daemon=True)
        self._call = (function, arguments)
        self._answer: object = None
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        function, arguments = self._call
        try:
            self._answer = function(*arguments)
        except Exception as error:  # noqa: BLE001: it is the caller's
            self._error = error

    def answer(self):
        self.join()
        if self._error:
            raise self._error
        return self._answer


def _thin(run: Run, subject: Subject, seconds: float) -> list[float | None]:
    interval = 0.02
    probe = (*links.PUNCTUAL, "python3", PROBES / "thin.py")
    argv = (*probe, subject.target, ECHO_PORT, round(seconds / interval), interval, 200)
    return json.loads(run.lab["laptop"].run(*argv, seconds=seconds + 30).stdout)


def _probe(run: Run, subject: Subject, case: Case, typist: Typist, seconds: float) -> dict[str, list[float | None]]:
    """All probes at once, for so long."""
    ping = Probe(links.ping_ms, run.lab["laptop"], subject.target, round(seconds / PING_S), PING_S)
    keys = Probe(typist.type, seconds)
    thin = Probe(_thin, run, subject, seconds) if case.thin else None
    return {"ping": ping.answer(), "key": keys.answer()} | ({"thin": thin.answer()} if thin else {})


def _figures(idle: dict[str, list], loaded: dict[str, list]) -> dict[str, float]:
    """What the load adds to the idle median, and which share was lost or later than the probes wait."""
    found = {}
    for what, times in loaded.items():
        base = [ms for ms in idle[what] if ms is not None]
        there = [ms for ms in times if ms is not None]
        if not base or not there:
            raise LabError(f"no {what} came back")
        quiet = statistics.median(base)
        for p in (50, 95):
            found[f"{what}-p{p}"] = percentile(there, p) - quiet
        found[f"{what}-idle"] = quiet
        found[f"{what}-lost"] = 100 * (len(times) - len(there)) / len(times)
    return found


@contextmanager
def _typing(run: Run, subject: Subject) -> Iterator[Typist]:
    typist = Typist(run, subject)
    try:
        yield typist
    finally:
        typist.end()


@contextmanager
def _loaded(run: Run, subject: Subject, case: Case) -> Iterator[Bulk]:
    bulk = Bulk(run, subject, case)
    try:
        bulk.wait_flowing()
        time.sleep(case.settle_s)
        yield bulk
    finally:
        bulk.end()
        if subject.name != "rdv":  # its own buffers are small, and an open cable would teach it a rate that is none
            links.drain(run.lab, case.place, case.rate_mbit, subject.target, case.idle_ms)


def measure(run: Run, subject: Subject, case: Case) -> dict[str, float]:
    """One subject on the cable as it lies: first idle, then under load."""
    links.wait_idle(run.lab, case.place, subject.target, case.idle_ms)
    with _typing(run, subject) as typist:
        idle = _probe(run, subject, case, typist, IDLE_S)
        with _loaded(run, subject, case) as bulk:
            run.lab.link(case.place.router, reset=True)
            begin = time.monotonic()
            loaded = _probe(run, subject, case, typist, MEASURED_S)
            end = time.monotonic()
            link = run.lab.link(case.place.router)[case.place.direction]
    used = link["tx_bytes"] * 8 / 1e6 / (end - begin) / case.rate_mbit
    return _figures(idle, loaded) | {
        "used": 100 * used,
        "rate": bulk.mbit(begin, end),
        "queue": link["queued_bytes_max"] / 1000,
        "late-p99": link["late_us_p99"] / 1000,
    }


def measure_loss(run: Run, subject: Subject, case: Case) -> dict[str, float]:
    """Only how fast the flows are."""
    links.wait_idle(run.lab, case.place, subject.target, case.idle_ms)
    with _loaded(run, subject, case) as bulk:
        begin = time.monotonic()
        time.sleep(LOSS_MEASURED_S)
        end = time.monotonic()
    return {"rate": bulk.mbit(begin, end)}


def run(run: Run) -> None:
    report = run.report("load")
    for name, case in cases().items():
        wanted = LOSS_PEERS if case.loss else PEERS if name in QUICK else set()
        able = [subjects.plain_of(), *(subjects.of_peer(peer) for peer in run.peers if peer.name in wanted)]
        skipped = run.quick and not run.cases and name not in QUICK
        if not skipped and run.wanted("load", name, {"rdv", *(other.name for other in able)}):
            with run.attempt(f"load {name}"):
                _case(run, report, name, case, able)


def _case(run: Run, report: Report, name: str, case: Case, able: list[Subject]) -> None:
    """In a session of its own: what rdv learnt of one path must neither help nor hinder it on the next."""

    def one(subject: Subject) -> dict[str, float]:
        return measure_loss(run, subject, case) if case.loss else measure(run, subject, case)

    with links.cable(run.lab, case.place, case.rate_mbit, case.rtt_ms, case.loss), run.ways() as (rdv, _):
        taken = turns.take(report, f"load {name}", rdv, able, run.pairs, one)
    _say(report, name, taken)
    run.done()


def _say(report: Report, case: str, taken: turns.Taken) -> None:
    units = {"used": "%", "rate": "Mbit/s", "queue": "kB"}
    for name, figures in taken.alone.items():
        for metric, values in figures.items():
            unit = "%" if metric.endswith("-lost") else units.get(metric, "ms")
            report.line(case, name, metric, unit, values, COMMAND)
    for name, figures in taken.pairs.items():
        report.line(case, f"rdv/{name}", "ratio", "", [a / b for a, b in figures["rate"] if b], COMMAND)
