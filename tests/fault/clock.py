"""A wall clock of its own for the daemons of one host: wrong from the start, or jumping while they run."""

from __future__ import annotations

import struct
import time
from contextlib import ExitStack

from lab.host import build_dir
from lab.lab import Lab
from lab.process import LabError
from supervisor import Supervisor


class WallClock:
    """Restarts `daemons` of `host` with a clock that is wrong by `seconds`; use it in a `with`.

    Only CLOCK_REALTIME is wrong (tests/clock). Leaving it stops the daemons: the next test starts them as always.
    """

    def __init__(self, lab: Lab, host: str, *daemons: str, seconds: float = 0) -> None:
        self._file = lab[host].directory / "wall-clock"
        library = build_dir() / "tests" / "clock" / "librdv-wall-clock.so"
        if not library.exists():
            raise LabError(f"no {library}: build it with scripts/build")
        environment = {"LD_PRELOAD": str(library), "RDV_WALL_CLOCK": str(self._file)}
        self.jump_to(seconds)
        self.daemons = [Supervisor(lab, host, daemon, **environment) for daemon in daemons]
        self._stack = ExitStack()

    def jump_to(self, seconds: float) -> None:
        """From now on the clock is wrong by so many seconds."""
        mode = "r+b" if self._file.exists() else "wb"
        with self._file.open(mode) as file:
            file.write(struct.pack("=q", int(seconds)))
        self._file.chmod(0o644)

    def __enter__(self) -> WallClock:
        for daemon in self.daemons:
            self._stack.enter_context(daemon)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for daemon in self.daemons:
            daemon.process.stop()


def offset_to(year: int) -> float:
    """From now to the middle of that year, in seconds."""
    return time.mktime((year, 7, 1, 12, 0, 0, 0, 0, 0)) - time.time()
