"""Notices when this machine stands still: a bound on a measured time is for the time in which it ran."""

from __future__ import annotations

import threading
import time
from functools import cache

EVERY_S = 0.02
LATE_S_MIN = 0.1  # less is what a busy machine takes to run anybody


class Stalls:
    """A thread that sleeps for a moment, over and over: how much later it comes back, nobody else ran either."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []  # when (time.monotonic()) it was over, for how long
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            slept = time.monotonic()
            time.sleep(EVERY_S)
            now = time.monotonic()
            if (late := now - slept - EVERY_S) > LATE_S_MIN:
                self._seen.append((now, late))

    def since(self, when: float) -> float:
        """For how many seconds in all, since then."""
        return sum(late for over, late in list(self._seen) if over > when)


@cache
def stalls() -> Stalls:
    """The one of this process, from the first call on."""
    return Stalls()
