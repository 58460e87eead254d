"""Slow, distant and lossy cables for benchmarks (tests/lab/emulator.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.host import Host
from lab.lab import Lab
from lab.process import until

QUEUE_BYTES = 1_250_000
PUNCTUAL = ("chrt", "-f", "5")  # who measures must not be late because somebody else has the CPU
IDLE_AGAIN_S = 60.0
IDLE_SLACK_MS = 15.0
IDLE_SLACK_LOSS_MS = 500.0  # a tunnel over TCP that has lost a frame, or waits for acknowledgements (Nagle)


@dataclass(frozen=True)
class Place:
    """Where the bottleneck is: `direction` (up: towards the internet) of a router's cable; `pull`: the laptop's way to fill it."""

    router: str
    direction: str
    pull: bool


PLACES = {
    "onsite-up": Place("router-b", "up", pull=True),
    "onsite-down": Place("router-b", "down", pull=False),
    "master-up": Place("router-a", "up", pull=False),
    "master-down": Place("router-a", "down", pull=True),
}


@contextmanager
def cable(lab: Lab, place: Place, rate_mbit: float, rtt_ms: float, loss: float = 0) -> Iterator[None]:
    """The rate in one direction, half of the round trip and the loss in both; a plain cable again afterwards."""
    slow = {"rate_mbit": rate_mbit, "queue_bytes": QUEUE_BYTES}
    lab.emulate(place.router, **{place.direction: slow}, delay_ms=rtt_ms / 2, loss=loss)
    try:
        yield
    finally:
        lab.emulate_off(place.router)


def ping_ms(host: Host, target: str, count: int, interval_s: float, patience_s: float = 5) -> list[float | None]:
    """Round trips in ms, None for what was lost."""
    argv = (*PUNCTUAL, "ping", "-n", "-i", str(interval_s), "-c", str(count), "-W", str(patience_s), target)
    said = host.run(*argv, check=False, seconds=count * interval_s + patience_s + 20).stdout
    times = {int(seq): float(ms) for seq, ms in re.findall(r"icmp_seq=(\d+) .*?time=([\d.]+) ms", said)}
    return [times.get(seq) for seq in range(1, count + 1)]


def wait_idle(lab: Lab, place: Place, target: str, most_ms: float) -> None:
    """Returns when nothing of an earlier load stands in the cable's queue, nor in the tunnel's: pings take `most_ms`."""

    def idle() -> bool:
        if any(way["queued_bytes"] for way in lab.link(place.router).values()):
            return False
        times = ping_ms(lab["laptop"], target, 3, 0.02, 1)
        return all(ms is not None and ms < most_ms for ms in times)

    until(f"an idle path to {target}", idle, IDLE_AGAIN_S, 0.2)


def drain(lab: Lab, place: Place, rate_mbit: float, target: str, most_ms: float) -> None:
    """Lets what a tunnel has buffered out at once: at 1 Mbit/s that would take a minute. Then the cable is slow again."""
    lab.emulate(place.router, **{place.direction: {"rate_mbit": 0}})
    try:
        wait_idle(lab, place, target, most_ms)
    finally:
        lab.emulate(place.router, **{place.direction: {"rate_mbit": rate_mbit}})
