"""One fault in a running session: how soon it was noticed, how soon the laptop's own connections went on, and unchanged."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import rdv_client
from case import LabCase
from traffic import COPY_BYTES, Copy, Shell, make_file

from lab.faults import Faults
from lab.lab import Lab
from lab.process import COMES_S, LabError
from lab.session import Session
from lab.topology import RDV_ADDRESS, RDV_PORT
from stalls import stalls

ALL = bool(os.environ.get("RDV_FAULT_ALL"))  # also the faults that take long
STRICT = bool(os.environ.get("RDV_FAULT_STRICT"))  # nothing slower than promised, also on a busy machine
SEED = int(os.environ.get("RDV_FAULT_SEED") or random.SystemRandom().randrange(1, 1 << 31))
RATE_MBIT = 100
STALL_COSTS = 3  # itself, and the wait of a TCP that has backed off in it: up to twice as long
INTERRUPTED = r'"state": ?"interrupted".*\n'
ESTABLISHED = r'"state": ?"established".*\n'
COPY_S_MAX = 90.0  # behind a fault; without one it takes 5 s
_told = False


def tell(text: str) -> None:
    """A line of the report; the first one says how to have the same run again."""
    global _told
    if not _told:
        _told = True
        print(f"  seed: RDV_FAULT_SEED={SEED}", flush=True)
    print(f"  {text}", flush=True)


class FaultCase(LabCase):
    """Random choices of a test come from `self.random`: the same for the same seed and test, whatever else runs."""

    def assert_promised(self, measured_s: float, promised_s: float) -> None:
        """Says what is slower than promised; fails at once when strict, else when it is far from it.

        Only then, what the machine stood still in this test does not count, nor what the hosts' TCP waits after it.
        """
        if measured_s > promised_s:
            tell(f"slower than promised: {measured_s:.2f} s instead of {promised_s:.2f} s")
        allowed_s = promised_s if STRICT else 1 + 3 * promised_s + STALL_COSTS * stalls().since(self.began)
        self.assertLessEqual(measured_s, allowed_s)

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(f"{SEED} {self._testMethodName}")
        self.faults = Faults(self.lab)
        for device in self.lab.daemons.devices:
            self.addCleanup(self.faults.calm, device)
        self.file = self.lab.root / "fault-file"
        make_file(self.file, SEED)

    def way(self, round_trip_ms: float = 100, rate_mbit: float = RATE_MBIT, router: str = "router-b", **more) -> None:
        """Gives a router's cable to the internet a round trip and a rate until the end of the test."""
        self.addCleanup(self.lab.emulate_off, router)
        self.lab.emulate(router, rate_mbit=rate_mbit, delay_ms=round_trip_ms / 2, seed=SEED, **more)
        self.round_trip_ms = round_trip_ms

    def watched_session(self) -> Session:
        """A session whose masterdev says each change as JSON."""
        return self.open_session("rpi1100", "--json")

    def shell(self) -> Shell:
        shell = Shell(self.laptop)
        self.addCleanup(shell.stop)
        return shell

    def copy(self, begun: float = 0.0) -> Copy:
        """A copy of which the share `begun`, or a random one, is there already."""
        copy = Copy(self.laptop, self.file)
        self.addCleanup(copy.stop)
        copy.wait_bytes(int(COPY_BYTES * (begun or self.random.uniform(0.05, 0.4))))
        return copy


class Ride:
    """One fault from before it until the laptop's connections are done. The steps are in the order of the methods."""

    def __init__(self, test: FaultCase, name: str, with_copy: bool = True, session: Session | None = None) -> None:
        """In a new session, or in one that is there already."""
        self.test, self.name = test, name
        self.session = session or test.watched_session()
        self.shell = test.shell()
        self.shell.echo_s()
        self.copy = test.copy() if with_copy else None
        self.seen = len(self.session.output)

    def strike(self, fault: Callable[[], object]) -> None:
        """The fault; its time is that of its end, as a tool may take a while to do it. What was noticed meanwhile counts as 0."""
        if self.copy and not self.copy.is_running:  # it was faster than we were
            self.copy = self.test.copy()
        self.striking = time.monotonic()
        fault()
        self.struck = self.back = time.monotonic()

    def wait_noticed(self, seconds: float = COMES_S) -> float:
        """Waits until masterdev says that the session is interrupted."""
        when, self.seen = self.session.wait_heard(INTERRUPTED, self.seen, seconds)
        self.noticed, self.noticed_s = when, max(0.0, when - self.struck)
        return self.noticed_s

    def over(self, end_of_fault: Callable[[], object]) -> None:
        """The way is there again: recovery counts from here. A key pressed before waits in the dark."""
        end_of_fault()
        self.back = time.monotonic()

    def wait_resumed(self, seconds: float = 60) -> float:
        """Waits until masterdev says that it is established again: seconds since the way was back."""
        when, _ = self.session.wait_heard(ESTABLISHED, self.seen, seconds)
        self.resumed, self.resumed_s = when, max(0.0, when - self.back)
        return self.resumed_s

    def wait_goes_on(self) -> float:
        """Waits until scp has done and its file is the same: seconds from the way's return to the first byte more.

        That is the end of the first pause after it was noticed; when nobody noticed, of the longest one.
        """
        key_s = self.shell.echo_s()
        self.test.assert_within(key_s, 5.0, "the idle ssh answers late")
        self.copy.wait_end(COPY_S_MAX)
        noticed = self.struck + getattr(self, "noticed_s", 0.0)
        pauses = self.copy.pauses(noticed)
        longest = max(pauses, key=lambda pause: pause[1] - max(pause[0], noticed))
        self.again = (pauses[0] if hasattr(self, "noticed_s") else longest)[1]
        self.longest_s = longest[1] - max(longest[0], self.struck)
        self.again_s = max(0.0, self.again - self.back)
        self.test.assertTrue(self.shell.is_alive)
        return self.again_s

    def tell(self, more: str = "") -> None:
        noticed = f"{self.noticed_s:.2f} s" if hasattr(self, "noticed_s") else "never"
        if self.copy:
            more += f"; longest pause of the copy {self.longest_s:.2f} s"
        tell(
            f"fault: {self.name}: noticed {noticed}, again {self.again_s:.2f} s"
            f" (round trip {self.test.round_trip_ms:g} ms{more})"
        )


def start_knocking(lab: Lab) -> subprocess.Popen:
    """Somebody on the internet connects to the server over and over, until he is told to end; use it in a `with`."""
    argv = ("python3", Path(rdv_client.__file__).with_name("knock.py"), RDV_ADDRESS, RDV_PORT)
    knocking = lab["internet"].popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if (said := knocking.stdout.readline()) != "go\n":
        raise LabError(f"knock.py said {said!r}")
    return knocking


def any_error(call: Callable[[], object]) -> str:
    """What LabError it ended with, "" when none: for waits whose end may be either."""
    try:
        call()
    except LabError as error:
        return str(error)
    return ""
