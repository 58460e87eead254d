"""One run of scripts/bench: the lab it measures in, what was asked for, and what comes of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.lab import Lab
from lab.process import LabError

from . import peers, subjects
from .figures import Report, progress, version
from .peers import Peer
from .results import Results
from .subjects import Subject


@dataclass
class Run:
    """`pairs`: how often subjects take turns; `seconds`: of one iperf3 run; `cases`: only these, all when empty.

    `quick`: fewer cases where there are many. `results`: where figures are kept, and (`resume`) which are there already.
    """

    lab: Lab
    pairs: int
    seconds: int
    cases: list[str] = field(default_factory=list)
    quick: bool = False
    with_peers: list[str] = field(default_factory=list)
    results: Results | None = None
    resume: bool = False
    peers: list[Peer] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def start_peers(self) -> None:
        """Those that were asked for; the lab must be up."""
        self.peers = [peer for peer in peers.all_of(self.lab) if peer.name in self.with_peers]
        for peer in self.peers:
            progress(f"setting up {peer.name}")
            peer.start()

    def clean_up(self) -> None:
        """After the lab went, and with it all that ran there."""
        for peer in self.peers:
            peer.clean_up()

    def wanted(self, bench: str, case: str, names: set[str]) -> bool:
        """False when this case was not asked for, or is kept already with figures of all these subjects."""
        if self.cases and case not in self.cases:
            return False
        if self.resume and self.results and self.results.has(bench, case, version(), names):
            progress(f"{bench} {case}: kept already")
            return False
        return True

    @contextmanager
    def attempt(self, label: str) -> Iterator[None]:
        """What fails in here is told, and the next thing is measured; daemons that ended are started anew."""
        try:
            yield
        except (LabError, subprocess.SubprocessError) as error:
            progress(f"{label} failed: {error}")
            self.failed.append(label)
            self.lab.up()

    def report(self, bench: str) -> Report:
        return Report(bench, self.results)

    def done(self) -> None:
        """A case is measured whole."""
        if self.results:
            self.results.keep()

    @contextmanager
    def ways(self) -> Iterator[tuple[Subject, list[Subject]]]:
        """rdv, and everything it is compared with: plain, and the peers. All stand while this is open."""
        with subjects.session_open(self.lab):
            for peer in self.peers:
                peer.wait()
            yield subjects.rdv_of(self.lab), [subjects.plain_of(), *map(subjects.of_peer, self.peers)]
