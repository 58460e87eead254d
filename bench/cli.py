"""The command line of scripts/bench."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from lab.host import REPO
from lab.lab import Lab
from lab.process import LabError

from . import aliases, debian, handshake, latency, load, memory, opening, peers, plain, relay, report, throughput
from .figures import progress
from .results import Results
from .run import Run

BENCHMARKS: dict[str, Callable[[Run], None]] = {
    "throughput": throughput.run,
    "relay": relay.run,
    "latency": latency.run,
    "load": load.run,
    "open": opening.run,
    "memory": memory.run,
    "handshake": handshake.run,
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USAGE = """scripts/bench [NAME...] [--peers[=NAME,...]] [--case CASE,...] [--quick] [--pairs N] [--seconds S] [--keep] [--resume]
       scripts/bench --report

  throughput   iperf3, laptop <-> camera: TCP with 1 and 4 streams, UDP with 1 Gbit/s offered; CPU seconds per GB
  relay        the relay's code as a plain forwarder: CPU seconds per GB; --peers: beside HAProxy with splice, and without
  latency      200 pings of an idle laptop
  load         ping, ssh keystrokes and a thin flow beside bulk flows on a slow link, and throughput with 1 % of loss; cases
               PLACE-MBIT-RTT-FLOWS such as onsite-up-10-40-1
  open         masterdev -o to "established", which says that an echo came back through the whole path
  memory       of the server, with no and with 300 idle onsites, and for each of 50 sessions (case `session`)
  handshake    full mutual TLS handshakes: the server's CPU time for each; --peers: beside HAProxy

All of them without a NAME. JSON lines on standard output, progress on standard error (docs/PERFORMANCE.md).

  --peers      beside rdv and the plain path also openvpn, openvpn-tuned, oldstack, sshfwd, ocserv, tinc, wireguard-go, or
               only those named; installs their packages (bench/peers/install)
  --case       only these cases, e.g. --case down-1,up-1
  --quick      fewer cases of load
  --pairs N    how often subjects take turns (default 5); open: 4 sessions for each; memory: 3 rounds at most
  --seconds S  of one iperf3 run (default 3)
  --keep       also writes the figures into bench/results.jsonl, case by case
  --resume     --keep, and leaves out the cases that bench/results.jsonl has of this commit already
  --report     measures nothing: writes the tables of README.md and docs/PERFORMANCE.md from bench/results.jsonl

$RDV_BUILD: where the programs are (default: builds build/release). $RDV_LAB: the lab's name (default: rdvbench).
"""


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)


def _names(text: str) -> list[str]:
    return text.split(",")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", usage=USAGE, add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--pairs", type=_number, default=5)
    parser.add_argument("--seconds", type=_number, default=3)
    parser.add_argument("--peers", type=_names, nargs="?", const=list(peers.NAMES), default=[])
    parser.add_argument("--case", type=_names, default=[])
    for switch in ("--quick", "--keep", "--resume", "--report", "--help"):
        parser.add_argument(switch, action="store_true")
    parser.add_argument("-h", dest="help", action="store_true")
    arguments = parser.parse_args()
    if arguments.help:
        print("usage: " + USAGE, end="")
        raise SystemExit(0)
    for given, known, what in ((arguments.names, BENCHMARKS, "benchmark"), (arguments.peers, peers.NAMES, "peer")):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"no such {what}: {unknown[0]}; there are {', '.join(known)}")
    return arguments


def _end(number: int, _frame: object) -> None:
    """A signal unwinds like an exception: the lab is taken down."""
    raise SystemExit(128 + number)


def _build() -> None:
    if "RDV_BUILD" not in os.environ:
        build = REPO / "scripts" / "build"
        subprocess.run([build, "release"], stdout=sys.stderr, check=True)
        subprocess.run([build, "release", relay.PROGRAM], stdout=sys.stderr, check=True)


def _run_of(arguments: argparse.Namespace) -> Run:
    return Run(
        lab=Lab("one", os.environ.get("RDV_LAB", "rdvbench")),
        pairs=arguments.pairs,
        seconds=arguments.seconds,
        cases=arguments.case,
        quick=arguments.quick,
        with_peers=arguments.peers,
        results=Results() if arguments.keep or arguments.resume else None,
        resume=arguments.resume,
    )


def _measure(run: Run, names: list[str]) -> None:
    """Each benchmark in turn; one that fails is told and does not keep the others from being measured."""
    lab = run.lab
    if lab.is_up:
        raise LabError(f"a lab {lab.name} is up already: take it down with scripts/lab down, or choose another RDV_LAB")
    try:
        lab.up(bare=True)
        debian.settle(lab)
        lab.up()
        aliases.lay(lab)
        plain.lay(lab)
        run.start_peers()
        for name in names or BENCHMARKS:
            progress(name)
            with run.attempt(name):
                BENCHMARKS[name](run)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        lab.down()
        run.clean_up()
    if run.failed:
        raise LabError(f"not measured whole: {', '.join(run.failed)}")


def main() -> int:
    arguments = _arguments()
    if arguments.report:
        return report.main(Results())
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        _build()
        if arguments.peers:
            peers.install()
        _measure(_run_of(arguments), arguments.names)
    except (LabError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0
