"""The daemons as services: what they tell systemd, and what becomes of one that hangs or loses its message bus."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import ExitStack

from case import LabCase
from fault_case import start_knocking
from snapshot import differences, settled_snapshot, snapshot
from supervisor import Supervisor

from lab.process import COMES_S, LabError, until
from lab.session import Session
from lab.topology import RDV_PORT

LISTEN = """
import socket, sys
listening = socket.create_server(("0.0.0.0", int(sys.argv[2])), backlog=512)
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"."], [listening.fileno()])
"""
WATCHDOG, CALM_WATCHDOG = 2.0, 6.0  # s; the latter where nobody hangs; the units have 30 s


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
        server = self.supervise("rdv", "rdv-server", CALM_WATCHDOG)
        netd = self.supervise("master", "tundev-netd", CALM_WATCHDOG)
        agent = self.supervise("master", "tundev-agent", CALM_WATCHDOG)
        self.lab.daemons.wait_online(["master", "rpi1100"])
        for service in (server, netd, agent):
            until(f"READY=1 of {service.daemon}", lambda: "READY=1" in service.said())
        until("the server's sentence", lambda: "devices online, 0 sessions" in server.status)
        until("netd's sentence", lambda: netd.status == "master, laptop on usb0")
        until("the agent's sentence", lambda: "connected to" in agent.status)
        with self.session() as session:
            session.wait_established()
            until("the server's sentence", lambda: "1 sessions" in server.status)
            until("netd's sentence", lambda: "laptop on usb0, session " in netd.status)
            until("the agent's sentence", lambda: "; session with rpi1100: " in agent.status)
        before = time.monotonic()
        agent.process.signal(signal.SIGTERM)
        until("STOPPING=1", lambda: "STOPPING=1" in agent.said(before))
        until("its restart", lambda: "READY=1" in agent.said(before))
        self.assertEqual([why for _, why in agent.restarts], ["it ended"])


class OneThatHangsIsRestarted(Services):
    def hang(self, host: str, daemon: str) -> float:
        """SIGSTOP: the watchdog restarts it and all works again. Answers the seconds that took."""
        service = self.supervise(host, daemon)
        self.lab.daemons.wait_online(["master", "rpi1100"])
        stopped = time.monotonic()
        service.process.signal(signal.SIGSTOP)
        until(f"the restart of {daemon}", lambda: "READY=1" in service.said(stopped))
        when, why = next(restart for restart in service.restarts if restart[0] >= stopped)
        noticed = when - stopped
        self.assertEqual(why, "no sign of life")
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


class AMessageBusThatIsRestarted(Services):
    def restart_bus(self, host: str) -> None:
        self.lab[host].background("dbus-daemon").stop()
        self.lab[host].start_bus()
        self.lab[host].wait_bus()

    def administers(self) -> bool:
        try:
            return bool(self.rdvctl("status"))
        except LabError:
            return False

    def test_the_servers_leaves_sessions_alone_and_can_be_administered_again(self) -> None:
        pid = self.rdv.background("rdv-server").pid
        session = self.open_session()
        self.restart_bus("rdv")
        lost = time.monotonic()
        self.assert_reaches_camera()
        until("rdvctl status", self.administers, 15)
        print(f"       rdvctl works {time.monotonic() - lost:.1f} s after the bus came back")
        self.assertEqual(self.rdv.background("rdv-server").pid, pid)
        self.assertEqual([s["onsite"] for s in self.sessions()], ["rpi1100"])
        self.assert_reaches_camera()
        session.press_ctrl_c()
        self.assertEqual(session.wait_end(), 0, session.output)

    def begin(self, host: str) -> Session:
        """A session, and both daemons of `host` supervised; `left()` tells what it changed in the kernels."""
        self.services = [self.supervise(host, daemon, CALM_WATCHDOG) for daemon in ("tundev-netd", "tundev-agent")]
        super().setUp()
        self.before = {name: settled_snapshot(self.lab[name]) for name in ("master", "onsite")}
        session = self.open_session()
        self.assertTrue(self.left(), "the comparison sees nothing of a session")
        self.lost = time.monotonic()
        self.restart_bus(host)
        return session

    def left(self) -> str:
        return "".join(differences(was, snapshot(self.lab[name])) for name, was in self.before.items())

    def assert_nothing_left(self) -> None:
        until("the end of the session at the server", lambda: not self.sessions())
        for service in self.services:
            until(f"the restart of {service.daemon}", lambda: "READY=1" in service.said(self.lost))
        super().setUp()
        try:
            until("everything as before", lambda: not self.left(), every=0.1)
        except LabError:
            self.fail(f"not as before the session:\n{self.left()}")

    def test_the_masters_ends_its_session_with_the_cause_and_leaves_nothing(self) -> None:
        """masterdev is on that bus as well: it cannot go on."""
        self.assert_ends(self.begin("master"), 1, "system bus went away")
        self.assert_nothing_left()
        with self.session() as again:
            again.wait_established()
            self.assert_reaches_camera()
        print(f"       a new session {time.monotonic() - self.lost:.1f} s after the master's bus was restarted")

    def test_the_onsites_ends_its_session_with_the_cause_and_the_engineer_gets_another(self) -> None:
        session = self.begin("onsite")
        session.wait_output("established anew")
        anew = time.monotonic() - self.lost
        self.assertRegex(session.output, "interrupted: .*(network failed|no longer answers)")
        self.assert_reaches_camera()
        self.assertEqual(len(self.sessions()), 1)
        session.press_ctrl_c()
        self.assertEqual(session.wait_end(), 0, session.output)
        self.assert_nothing_left()
        print(f"       established anew {anew:.1f} s after the onsite's bus was restarted")


class AnUpgradeOfTheServer(Services):
    def listening(self) -> socket.socket:
        """A socket that listens on the server's port, as rdv-server.socket has it."""
        self.rdv.background("rdv-server").stop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            made = self.rdv.popen(
                "python3", "-c", LISTEN, theirs.fileno(), RDV_PORT, pass_fds=(theirs.fileno(),)
            )
            _, fds, _, _ = socket.recv_fds(ours, 16, 1)
            self.assertEqual(made.wait(COMES_S), 0)
        listening = socket.socket(fileno=fds[0])
        self.stack.enter_context(listening)
        # The next test's server opens the port itself.
        self.stack.callback(self.rdv.background("rdv-server").stop)
        return listening

    def test_with_a_listening_socket_of_systemds_no_connection_is_refused_in_five_restarts(self) -> None:
        server = Supervisor(self.lab, "rdv", "rdv-server", listening=self.listening())
        self.stack.enter_context(server)
        self.lab.daemons.wait_online(["master", "rpi1100"])
        client = self.stack.enter_context(start_knocking(self.lab))
        for _ in range(5):
            before = time.monotonic()
            server.process.signal(signal.SIGTERM)
            until("the next server", lambda: "READY=1" in server.said(before))
        counts = json.loads(client.communicate("\n", timeout=60)[0])
        self.assertEqual(counts["refused"], 0, counts)
        self.assertGreater(counts["connected"], 20)
        self.lab.daemons.wait_online(["master", "rpi1100"])
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        print(f"       5 restarts: {counts['connected']} connections, the longest took {counts['longest_ms']} ms")
