"""The command line of scripts/lab."""

from __future__ import annotations

import subprocess
import sys

from . import people
from .emulator import DIRECTIONS
from .lab import Lab
from .process import LabError
from .topology import TOPOLOGIES

USAGE = f"""usage: scripts/lab COMMAND

  up [TOPOLOGY] [--bare]     make the lab: network, customer's services, RDV enrolled and running, laptop plugged in;
                             --bare: without RDV. Topologies: {', '.join(TOPOLOGIES)} (default: one)
  down                       take everything away again
  status                     hosts, addresses, processes
  exec HOST COMMAND...       run a command in a host, as root, with its message bus and the programs just built;
  as HOST COMMAND...         the same as an ordinary person, in the groups rdv-admin and rdv-operator
  plug [MASTER]              plug the laptop into the master (default: master)
  unplug [MASTER]            pull it out
  cut ROUTER | mend ROUTER   router-a or router-b drops all it should forward | no longer does
  link HOST [SETTING...]     its cable to the internet (router-a, router-b, rdv) with a rate, a queue, a delay, losses;
                             without settings: show it. `link HOST off`: a plain cable again. Settings, also with -up
                             (towards the internet) and -down for one direction: --rate MBIT (0: unlimited),
                             --delay MS (one way), --loss PERCENT, --queue BYTES, --open yes|no (no: a black hole)
  log HOST DAEMON            the log of rdv-server, tundev-netd, tundev-agent, dnsmasq...

$RDV_BUILD: where the programs are (default: build/release). $RDV_LAB: another lab's name, small letters and
digits (default: rdvlab).
"""


def run_in(lab: Lab, argv: list[str], privileges: people.Privileges | None) -> int:
    if len(argv) < 2:
        raise UsageError
    host = lab[argv[0]]
    if not lab.is_up:
        raise LabError("the lab is not up: run scripts/lab up")
    return subprocess.run(host.command(argv[1:], privileges), env=host.environment()).returncode


class UsageError(Exception):
    """Exit code 2 and the usage."""


LINK_SETTINGS = {"rate": "rate_mbit", "delay": "delay_ms", "loss": "loss", "queue": "queue_bytes", "open": "open"}


def link_settings(argv: list[str]) -> dict[str, dict[str, float | bool]]:
    """`--rate 10 --delay-up 20` as the keywords up and down of Lab.emulate."""
    settings: dict[str, dict[str, float | bool]] = {direction: {} for direction in DIRECTIONS}
    if len(argv) % 2:
        raise UsageError
    for option, text in zip(argv[::2], argv[1::2]):
        name, _, only = option.removeprefix("--").partition("-")
        if not option.startswith("--") or name not in LINK_SETTINGS or only not in ("", *DIRECTIONS):
            raise UsageError
        try:
            value = {"yes": True, "no": False}[text] if name == "open" else float(text)
        except (KeyError, ValueError):
            raise UsageError from None
        for direction in [only] if only else DIRECTIONS:
            settings[direction][LINK_SETTINGS[name]] = value
    return settings


def link(lab: Lab, host: str, argv: list[str]) -> None:
    if not lab.is_up:
        raise LabError("the lab is not up: run scripts/lab up")
    if argv == ["off"]:
        lab.emulate_off(host)
        return
    state = lab.emulate(host, **link_settings(argv)) if argv else lab.link(host)
    for direction, values in state.items():
        print(f"{direction:<5}" + " ".join(f"{name}={value:.10g}" for name, value in values.items()))


def command(argv: list[str]) -> int:
    match argv:
        case ["up", *rest]:
            names = [a for a in rest if a != "--bare"]
            if len(names) > 1 or (names and names[0] not in TOPOLOGIES):
                raise UsageError
            Lab(names[0] if names else "one").up(bare="--bare" in rest)
        case ["down"]:
            Lab().down()
        case ["status"]:
            print(Lab().status(), end="")
        case ["exec", *rest]:
            return run_in(Lab(), rest, None)
        case ["as", *rest]:
            return run_in(Lab(), rest, people.OPERATOR)
        case ["plug" | "unplug" as what, *rest] if len(rest) <= 1:
            getattr(Lab(), what)(*rest)
        case ["cut" | "mend" as what, router]:
            getattr(Lab(), what)(router)
        case ["link", host, *rest]:
            link(Lab(), host, rest)
        case ["log", host, daemon]:
            print(Lab()[host].background(daemon).log, end="")
        case _:
            raise UsageError
    return 0


def main() -> int:
    try:
        return command(sys.argv[1:])
    except UsageError:
        print(USAGE, end="", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
