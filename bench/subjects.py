"""Who is compared: a way from the laptop to the camera, and the programs that carry its traffic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.lab import Lab
from lab.process import Background
from lab.session import Session
from lab.topology import CAMERA

from . import plain

ONSITE = "rpi1100"


@dataclass(frozen=True)
class Subject:
    """`target` is the camera's address on this way; `programs` are those whose CPU time counts, by their part in it."""

    name: str
    target: str
    programs: dict[str, Background] = field(default_factory=dict)

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time of each program so far, in steps of a tick (10 ms)."""
        return {part: _cpu_seconds(program.pid) for part, program in self.programs.items()}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def rdv_and_plain(lab: Lab) -> Iterator[tuple[Subject, Subject]]:
    """Both ways at once, with one session held open, so that measurements can take turns."""
    programs = {
        "server": lab["rdv"].background("rdv-server"),
        "master": lab["master"].background("tundev-agent"),
        "onsite": lab["onsite"].background("tundev-agent"),
    }
    with Session(lab["master"], ONSITE) as session:
        session.wait_established()
        plain.wait(lab)
        yield Subject("rdv", CAMERA, programs), Subject("plain", plain.ALIAS)
