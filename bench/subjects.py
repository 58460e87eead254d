"""Who is compared: a way from the laptop to the camera, and the programs that carry its traffic."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.lab import Lab
from lab.process import Background
from lab.session import Session
from lab.topology import CAMERA

from . import plain
from .peers import Peer
from .peers.sshfwd import SshForward

ONSITE = "rpi1100"
EVERYTHING = frozenset({"tcp", "udp", "icmp"})


@dataclass(frozen=True)
class Subject:
    """`target` is the camera's address on this way; `programs` are those whose CPU time counts, by their part in it.

    `carries` is what may be sent on it; `ports` says where the camera's ports are when not at their own numbers.
    """

    name: str
    target: str
    programs: dict[str, list[Background]] = field(default_factory=dict)
    carries: frozenset[str] = EVERYTHING
    forwarded: bool = False

    def port(self, port: int) -> int:
        return SshForward.port_of(port) if self.forwarded else port

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time of each part so far, children and their ended children too, in steps of a tick (10 ms)."""
        children = _children()
        return {part: cpu_seconds_of(programs, children) for part, programs in self.programs.items()}


def cpu_seconds_of(programs: Iterable[Background], children: dict[int, list[int]] | None = None) -> float:
    """Of these and all their children; `children`: who is whose, when it is known already."""
    known = _children() if children is None else children
    return sum(_cpu_seconds(pid) for program in programs for pid in _tree(program.pid, known))


def of_peer(peer: Peer) -> Subject:
    """A peer that is up."""
    return Subject(peer.name, peer.target, peer.parts, peer.carries, isinstance(peer, SshForward))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name: state, parent...; [] when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _children() -> dict[int, list[int]]:
    found = defaultdict(list)
    for name in filter(str.isdigit, os.listdir("/proc")):
        if stat := _stat(int(name)):
            found[int(stat[1])].append(int(name))
    return found


def _tree(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, []):
        yield from _tree(child, children)


def _cpu_seconds(pid: int) -> float:
    return sum(map(int, _stat(pid)[11:15])) / os.sysconf("SC_CLK_TCK")


def rdv_of(lab: Lab) -> Subject:
    """The session's way; it exists while a Session is open."""
    programs = {
        "server": [lab["rdv"].background("rdv-server")],
        "master": [lab["master"].background("tundev-agent")],
        "onsite": [lab["onsite"].background("tundev-agent")],
    }
    return Subject("rdv", CAMERA, programs)


def plain_of() -> Subject:
    return Subject("plain", plain.ALIAS)


@contextmanager
def session_open(lab: Lab) -> Iterator[None]:
    """Holds one session open: all ways are there, so that measurements can take turns."""
    with Session(lab["master"], ONSITE) as session:
        session.wait_established()
        plain.wait(lab)
        yield
