"""The command line of scripts/bench."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys

from lab.host import REPO
from lab.lab import Lab
from lab.process import LabError

from . import latency, memory, opening, plain, throughput
from .figures import progress

BENCHMARKS = {
    "throughput": throughput.run,
    "latency": latency.run,
    "open": opening.run,
    "memory": memory.run,
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USAGE = """scripts/bench [NAME...] [--pairs N] [--seconds S]

  throughput   iperf3, laptop <-> camera, 1 and 4 streams: rdv against plain, and CPU seconds per GB
  latency      200 pings of an idle laptop: rdv against plain
  open         masterdev -o to "established", which says that an echo came back through the whole path
  memory       of the server, with no and with 300 idle onsites

All of them without a NAME. JSON lines on standard output, progress on standard error (docs/PERFORMANCE.md).

  --pairs N    how often rdv and plain take turns (default 5); open: 4 sessions for each; memory: 3 rounds at most
  --seconds S  of one iperf3 run (default 4)

$RDV_BUILD: where the programs are (default: builds build/release). $RDV_LAB: the lab's name (default: rdvbench).
"""


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", usage=USAGE, add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--pairs", type=_number, default=5)
    parser.add_argument("--seconds", type=_number, default=4)
    parser.add_argument("-h", "--help", action="store_true")
    arguments = parser.parse_args()
    if arguments.help:
        print("usage: " + USAGE, end="")
        raise SystemExit(0)
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    return arguments


def _end(number: int, _frame: object) -> None:
    """A signal unwinds like an exception: the lab is taken down."""
    raise SystemExit(128 + number)


def _build() -> None:
    if "RDV_BUILD" not in os.environ:
        subprocess.run([REPO / "scripts" / "build", "release"], stdout=sys.stderr, check=True)


def _measure(lab: Lab, arguments: argparse.Namespace) -> None:
    if lab.is_up:
        raise LabError(f"a lab {lab.name} is up already: take it down with scripts/lab down, or choose another RDV_LAB")
    try:
        lab.up()
        plain.lay(lab)
        for name in arguments.names or BENCHMARKS:
            progress(name)
            BENCHMARKS[name](lab, arguments.pairs, arguments.seconds)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        lab.down()


def main() -> int:
    arguments = _arguments()
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        _build()
        _measure(Lab("one", os.environ.get("RDV_LAB", "rdvbench")), arguments)
    except (LabError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0
