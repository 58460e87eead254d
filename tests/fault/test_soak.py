"""Opened and closed over and over: descriptors, memory and timers stay what they were."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from case import heal
from fault_case import FaultCase, tell
from resources import Held, held, wakeups

from lab.process import Background, until

CYCLES = int(os.environ.get("RDV_SOAK_CYCLES", "100"))
WARM_UP = 15  # caches and pools fill during these
RSS_KB_MAX = 1024  # more than after the warm-up; allocators keep a little
PIPES_MAX = 64  # more than after the warm-up: the server keeps up to 32 pipes for relays to come (net/pipe_pool.hpp)
WAKEUPS_MAX = 12  # more than before, within 2 s: the two daemons may be asked meanwhile


class OpeningAndClosing(FaultCase):
    def processes(self) -> dict[str, Background]:
        found = {"rdv-server": self.rdv.background("rdv-server")}
        for host in (self.master, self.onsite):
            for daemon in ("tundev-agent", "tundev-netd"):
                found[f"{daemon} on {host.name}"] = host.background(daemon)
        return found

    def measure(self) -> tuple[dict[str, Held], dict[str, int]]:
        processes = self.processes()
        with ThreadPoolExecutor(len(processes)) as pool:
            woken = dict(zip(processes, pool.map(wakeups, processes.values())))
        return {name: held(process) for name, process in processes.items()}, woken

    def is_given_back(self, before: dict[str, Held]) -> bool:
        """The last session's descriptors are closed: its end is told before."""
        return all(held(process).descriptors <= before[name].descriptors for name, process in self.processes().items())

    def cycle(self) -> None:
        with self.session() as session:
            session.wait_established()

    def test_leaves_descriptors_memory_and_timers_flat(self) -> None:
        for _ in range(WARM_UP):
            self.cycle()
        heal(self.lab)
        before, woken_before = self.measure()
        started = time.monotonic()
        for _ in range(CYCLES):
            self.cycle()
        took = time.monotonic() - started
        heal(self.lab)
        until("everything to be given back", lambda: self.is_given_back(before), every=0.2)
        after, woken_after = self.measure()
        for name, was in before.items():
            now = after[name]
            with self.subTest(process=name):
                self.assertLessEqual(now.descriptors, was.descriptors, "descriptors that are no pipes")
                self.assertLessEqual(now.pipes, was.pipes + PIPES_MAX, "ends of pipes")
                self.assertLessEqual(now.threads, was.threads, "threads")
                self.assertLessEqual(now.rss_kb, was.rss_kb + RSS_KB_MAX, f"memory in kB; it was {was.rss_kb}")
                self.assertLessEqual(woken_after[name], woken_before[name] + WAKEUPS_MAX, "wake-ups within 2 s")
            tell(
                f"soak: {name}: descriptors {was.descriptors} -> {now.descriptors}, ends of pipes {was.pipes} -> {now.pipes},"
                f" RSS {was.rss_kb} -> {now.rss_kb} kB, wake-ups in 2 s {woken_before[name]} -> {woken_after[name]}"
            )
        tell(f"soak: {CYCLES} sessions in {took:.1f} s, {took / CYCLES * 1000:.0f} ms each")
