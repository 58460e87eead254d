"""The command line of scripts/lab."""

from __future__ import annotations

import subprocess
import sys

from . import people
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
  log HOST DAEMON            the log of rdv-server, tundev-netd, tundev-agent, dnsmasq...

$RDV_BUILD: where the programs are (default: build/release). $RDV_LAB: another lab's name (default: rdvlab).
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
