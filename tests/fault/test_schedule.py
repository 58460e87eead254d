"""Faults at random, two sessions beside each other, and what must be true whatever happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable

from case import heal
from fault_case import ESTABLISHED, FaultCase, tell

from lab.process import COMES_S, LabError, until
from lab.session import Session

FAULTS = int(os.environ.get("RDV_SCHEDULE_FAULTS", "10"))
GAP_S_MAX = 2.5
HOLE_S_MAX = 6.0
DOWN_S_MAX = 1.5
WORKS_AGAIN_S_MAX = 60.0  # a back-off may have to end (30 s)
PAIRS = {"master": ("rpi1100", "laptop", "camera"), "master2": ("rpi1200", "laptop2", "camera2")}
DEVICES = ("onsite", "onsite2", "master", "master2")
# The same address is the camera of either customer, and a router of the office: the title tells who answered.
BROWSE = """
import http.client, re, time, urllib.request
opener = urllib.request.build_opener()
while True:
    try:
        page = opener.open("http://192.168.1.50/", timeout=1).read().decode()
        print(re.search("<title>(.*): live", page)[1], flush=True)
    except (OSError, http.client.HTTPException):
        pass
    time.sleep(0.1)
"""


class Browser:
    """Somebody who looks at the camera over and over: `seen` has whose page it was, each time."""

    def __init__(self, laptop) -> None:
        self.seen: list[str] = []
        self._process = laptop.popen("python3", "-c", BROWSE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.seen.append(line.strip())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(COMES_S)
        self._process.stdout.close()


class Books:
    """What the server's log says of sessions since `offset`."""

    LINE = re.compile(r'(session granted|session closed) session="(\w+)" master="([\w-]+)" onsite="([\w-]+)"(?: code="(\w+)")?')

    def __init__(self, log: str) -> None:
        self.granted: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.closed: dict[str, list[str]] = defaultdict(list)
        for what, session, master, onsite, code in self.LINE.findall(log):
            if what == "session granted":
                self.granted[session].add((master, onsite))
            else:
                self.closed[session].append(code)


class FaultsAtRandom(FaultCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.rdv.background("rdv-server")
        self.log_offset = len(self.log.log)
        self.crossed: list[str] = []

    # --- the schedule -----------------------------------------------------------------------------------------------

    def plan(self) -> list[tuple[str, Callable[[], object]]]:
        """FAULTS faults in words and as calls; all that is random is drawn here, so that the seed fixes all of it."""
        return [self.one_fault() for _ in range(FAULTS)]

    def one_fault(self) -> tuple[str, Callable[[], object]]:
        device, host = self.random.choice(DEVICES), self.random.choice(DEVICES)
        hole, down = self.random.uniform(0.5, HOLE_S_MAX), self.random.uniform(0.0, DOWN_S_MAX)
        daemon = self.random.choice(("tundev-agent", "tundev-netd"))
        return self.random.choice(
            (
                (f"FIN at {device}", lambda: self.on_leg(device, self.faults.fin)),
                (f"RST at {device}", lambda: self.on_leg(device, self.faults.reset)),
                (f"socket of {device} destroyed", lambda: self.on_leg(device, self.faults.kill_socket)),
                (f"black hole at {device} for {hole:.1f} s", lambda: self.black_hole(device, hole)),
                (f"NAT of {device} forgotten", lambda: self.change_nat(device)),
                (f"server killed, down for {down:.1f} s", lambda: self.kill_server(down)),
                (f"{daemon} of {host} killed", lambda: self.kill(host, daemon)),
            )
        )

    def on_leg(self, device: str, fault: Callable[[str, int], object]) -> None:
        """To the busiest of its connections, the leg or, when there is none, the control connection."""
        try:
            fault(device, self.faults.leg(device, 0, seconds=5))
        except LabError:
            return  # it has no connection now
        time.sleep(0.3)
        self.faults.calm(device)

    def black_hole(self, device: str, seconds: float) -> None:
        self.faults.black_hole(device)
        time.sleep(seconds)
        self.faults.mend(device)

    def change_nat(self, device: str) -> None:
        self.faults.change_nat(device)
        time.sleep(0.5)
        self.faults.calm(device)

    def kill_server(self, down: float) -> None:
        self.log.kill()
        time.sleep(down)
        self.lab.daemons.start_server()

    def kill(self, host: str, daemon: str) -> None:
        self.lab[host].background(daemon).kill()
        self.lab.daemons.start_daemon(host, daemon)

    # --- what must be true ------------------------------------------------------------------------------------------

    def watch_sessions(self, stop: threading.Event) -> None:
        """At no moment an onsite or a master is in two sessions, or in one with somebody else's partner."""
        while not stop.wait(0.15):
            try:
                listed = json.loads(self.rdvctl("session", "list", "--json"))
            except (LabError, ValueError):
                continue  # the server is down
            pairs = [(s["master"], s["onsite"]) for s in (listed["sessions"] if isinstance(listed, dict) else listed)]
            for end in (0, 1):
                names = [pair[end] for pair in pairs]
                if len(names) != len(set(names)):
                    self.crossed.append(f"twice: {pairs}")
            self.crossed += [f"crossed: {pair}" for pair in pairs if PAIRS[pair[0]][0] != pair[1]]

    def assert_books(self) -> None:
        books = Books(self.log.log[self.log_offset :])
        self.assertGreaterEqual(len(books.granted), 2)
        for session, pairs in books.granted.items():
            self.assertEqual(len(pairs), 1, f"session {session} was granted to several: {pairs}")
        self.assertEqual(set(books.granted), set(books.closed), "granted and closed are not the same sessions")
        for session, codes in books.closed.items():
            self.assertEqual(len(codes), 1, f"session {session} ended {len(codes)} times: {codes}")
            self.assertTrue(codes[0], f"session {session} ended without a cause")
        self.granted_count = len(books.granted)
        self.assert_audit_complete(books)

    def assert_audit_complete(self, books: Books) -> None:
        """The audit has what the log has: each session granted once and closed once, in a chain that is unbroken."""
        self.assertIn("unbroken", self.audit("verify"))
        recorded: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
        for record in json.loads(self.audit("list", "--json")):
            if record.get("session") in books.granted:
                recorded[record["session"]][record["what"]].append(record)
        self.assertEqual(set(recorded), set(books.granted))
        for session, records in recorded.items():
            (granted,), (closed,) = records["session_granted"], records["session_closed"]
            self.assertEqual(books.granted[session], {(granted["master"], granted["onsite"])})
            self.assertEqual(books.closed[session], [closed["code"]])
            self.assertGreaterEqual(closed["seconds"], 0)

    def audit(self, *argv: str) -> str:
        """rdvctl audit …, as root: nobody else may read it."""
        return self.rdv.run("rdvctl", "--config", self.rdv.directory / "server.toml", "audit", *argv).stdout

    def wait_works(self, sessions: dict[str, Session], browsers: dict[str, Browser]) -> float:
        """Waits until each laptop sees its camera again; seconds."""
        began = time.monotonic()
        marks = {master: len(browser.seen) for master, browser in browsers.items()}

        def works() -> bool:
            for master, session in sessions.items():
                if not session.is_running:
                    raise LabError(f"masterdev on {master} has ended:\n{session.output[-1500:]}")
            return all(len(browsers[master].seen) > mark + 2 for master, mark in marks.items())

        until("both cameras", works, WORKS_AGAIN_S_MAX, 0.05)
        return time.monotonic() - began

    def test_the_invariants_hold(self) -> None:
        plan = self.plan()
        gaps = [self.random.uniform(0.1, GAP_S_MAX) for _ in plan]
        sessions = {m: self.open_session(onsite, "--json", master=m) for m, (onsite, _, _) in PAIRS.items()}
        browsers = {m: Browser(self.lab[laptop]) for m, (_, laptop, _) in PAIRS.items()}
        for browser in browsers.values():
            self.addCleanup(browser.stop)
        stop = threading.Event()
        watcher = threading.Thread(target=self.watch_sessions, args=(stop,), daemon=True)
        watcher.start()
        try:
            for (words, fault), gap in zip(plan, gaps):
                tell(f"schedule: {words}")
                fault()
                time.sleep(gap)
            again = self.wait_works(sessions, browsers)
        finally:
            stop.set()
            watcher.join(COMES_S)
        self.assert_none_after_revoke(sessions["master2"])
        for session in sessions.values():
            session.__exit__()
        until("the end of both sessions", lambda: not self.sessions(), every=0.1)
        for master, (_, _, camera) in PAIRS.items():
            self.assertEqual(set(browsers[master].seen), {camera}, f"whom the laptop of {master} has seen")
        self.assertEqual(self.crossed, [])
        self.assert_books()
        reopened = sum(len(re.findall(ESTABLISHED, session.output)) for session in sessions.values()) - len(sessions)
        pages = sum(len(browser.seen) for browser in browsers.values())
        tell(
            f"schedule: {FAULTS} faults, {reopened} recoveries in 2 sessions, both work {again:.1f} s after the last one;"
            f" {pages} pages, each from its own customer; {self.granted_count} sessions granted, each closed once with its cause"
        )

    def assert_none_after_revoke(self, session: Session) -> None:
        self.addCleanup(heal, self.lab)
        self.addCleanup(self.enrol_again, "onsite2", "rpi1200")
        self.rdvctl("device", "revoke", "rpi1200")
        self.assert_ends(session, 1, "revoked")
        self.assert_unreachable(laptop="laptop2")
