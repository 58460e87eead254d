"""The daemons as services: what they tell systemd, and what becomes of one that hangs or loses its message bus."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

from case import LabCase
from supervisor import Supervisor

from lab.process import until

WATCHDOG = 2.0  # s; INSTALL.md has 30 s


class Services(LabCase):
    def supervise(self, host: str, daemon: str, watchdog_seconds: float = WATCHDOG) -> Supervisor:
        """The daemon under a supervisor until the test ends, when everything is the lab's again."""
        supervisor = Supervisor(self.lab, host, daemon, watchdog_seconds)
        self.stack.enter_context(supervisor)
        return supervisor

    def setUp(self) -> None:
        super().setUp()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)


class TheyTellHowTheyDo(Services):
    def test_a_sentence_for_people_follows_what_happens(self) -> None:
        server = self.supervise("rdv", "rdv-server")
        netd = self.supervise("master", "tundev-netd")
        agent = self.supervise("master", "tundev-agent")
        self.lab.daemons.wait_online(["master", "rpi1100"])
        for service in (server, netd, agent):
            self.assertIn("READY=1", service.said())
        until("the server's sentence", lambda: "devices online, 0 sessions" in server.status, 15)
        until("netd's sentence", lambda: netd.status == "master, laptop on usb0", 15)
        until("the agent's sentence", lambda: "connected to" in agent.status, 15)
        with self.session() as session:
            session.wait_established()
            until("the server's sentence", lambda: "1 sessions" in server.status, 15)
            until("netd's sentence", lambda: "laptop on usb0, session " in netd.status, 15)
            until("the agent's sentence", lambda: "; session with rpi1100: " in agent.status, 15)
        before = time.monotonic()
        agent.process.signal(signal.SIGTERM)
        until("STOPPING=1", lambda: "STOPPING=1" in agent.said(before), 15)
        until("its restart", lambda: "READY=1" in agent.said(before), 20)
        self.assertEqual([why for _, why in agent.restarts], ["it ended"])


class OneThatHangsIsRestarted(Services):
    def hang(self, host: str, daemon: str) -> float:
        """SIGSTOP: the watchdog restarts it and all works again. Answers the seconds that took."""
        service = self.supervise(host, daemon)
        self.lab.daemons.wait_online(["master", "rpi1100"])
        stopped = time.monotonic()
        service.process.signal(signal.SIGSTOP)
        until(f"the restart of {daemon}", lambda: "READY=1" in service.said(stopped), 30)
        noticed = service.restarts[0][0] - stopped
        self.assertEqual(service.restarts[0][1], "no sign of life")
        self.assertGreater(noticed, WATCHDOG / 3, "it was killed too early")
        super().setUp()
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        took = time.monotonic() - stopped
        print(f"       {daemon} on {host}: killed {noticed:.1f} s after SIGSTOP, a new session after {took:.1f} s")
        return took

    def test_the_server(self) -> None:
        self.hang("rdv", "rdv-server")

    def test_the_masters_agent(self) -> None:
        self.hang("master", "tundev-agent")

    def test_the_onsites_netd(self) -> None:
        self.hang("onsite", "tundev-netd")
