"""Nothing is left: links, addresses, rules, routes, nft, sysctls and processes are after a session as before it."""

from __future__ import annotations

import time

from case import LabCase
from fault_case import ESTABLISHED, tell
from snapshot import differences, snapshot

from lab.process import LabError, until

KILLED_S_MAX = 5.0
WATCHED = ("master", "onsite", "laptop", "rdv")


class NothingIsLeft(LabCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = {name: snapshot(self.lab[name]) for name in WATCHED}

    def differences(self) -> str:
        """Against `before`, for all hosts; "" when there are none."""
        told = ""
        for name, before in self.before.items():
            if told_here := differences(before, snapshot(self.lab[name])):
                told += f"\n{name}:\n{told_here}"
        return told

    def assert_as_before(self, seconds: float = 15) -> None:
        try:
            until("everything as before", lambda: not self.differences(), seconds, 0.1)
        except LabError:
            self.fail(f"not as before the session:{self.differences()}")

    def assert_works_again(self) -> None:
        """The next session works as if nothing had been, and leaves nothing either."""
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        self.assert_as_before()

    def kill_in_session(self, host: str, daemon: str) -> None:
        """Killed and started at once, as systemd does: the laptop works again with no word of the engineer, in <= 5 s."""
        session = self.open_session("rpi1100", "--json")
        self.assertTrue(self.differences(), "the comparison sees nothing of a session")
        seen = len(session.output)
        killed = time.monotonic()
        self.lab[host].background(daemon).kill()
        if daemon == "rdv-server":
            self.lab.daemons.start_server()
        else:
            self.lab.daemons.start_daemon(host, daemon)
        when, _ = session.wait_heard(ESTABLISHED, seen, 30)
        self.assert_reaches_camera()
        self.assertEqual(len(self.sessions()), 1)
        tell(f"fault: kill -9 of {daemon} on {host}, started at once: again {when - killed:.2f} s")
        session.press_ctrl_c()
        self.assert_ends(session, 0)
        super().setUp()
        self.assert_as_before(40)
        self.assert_works_again()
        self.assertLess(when - killed, KILLED_S_MAX)

    def test_after_a_session(self) -> None:
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
            self.assertTrue(self.differences(), "the comparison sees nothing of a session")
        self.assert_as_before()

    def test_after_twenty_sessions(self) -> None:
        for _ in range(20):
            with self.session() as session:
                session.wait_established()
        self.assert_as_before()

    def test_after_a_session_that_was_given_up_while_opening(self) -> None:
        for milliseconds in (0, 10, 20, 40, 60, 80, 120, 160):
            session = self.session()
            try:
                session.wait_established(milliseconds / 1000)
            except LabError:
                pass
            session.__exit__()
        self.assert_as_before()
        self.assert_works_again()

    def test_after_kill_9_of_masterdev(self) -> None:
        session = self.open_session()
        session.kill()
        session.wait_end()
        self.assert_as_before()
        self.assert_works_again()

    def test_after_kill_9_of_the_masters_agent(self) -> None:
        self.kill_in_session("master", "tundev-agent")

    def test_after_kill_9_of_the_masters_netd(self) -> None:
        self.kill_in_session("master", "tundev-netd")

    def test_after_kill_9_of_the_onsites_agent(self) -> None:
        self.kill_in_session("onsite", "tundev-agent")

    def test_after_kill_9_of_the_onsites_netd(self) -> None:
        self.kill_in_session("onsite", "tundev-netd")

    def test_after_kill_9_of_the_server(self) -> None:
        self.kill_in_session("rdv", "rdv-server")

    def test_after_unplugging_and_plugging_in_again(self) -> None:
        session = self.open_session()
        self.lab.unplug("master")
        session.wait_end()
        super().setUp()
        self.assert_works_again()

    def test_after_both_daemons_of_a_device_were_stopped(self) -> None:
        for host in ("master", "onsite"):
            session = self.open_session()
            for daemon in ("tundev-agent", "tundev-netd"):
                self.lab[host].background(daemon).stop()
            session.wait_end(40)
            super().setUp()
            self.assert_as_before()
        self.assert_works_again()


class StoppingForGood(LabCase):
    def test_a_stopped_netd_leaves_the_kernel_as_it_found_it_but_for_the_guard(self) -> None:
        """The guard stays on purpose: what netd protected is not opened by stopping it."""
        host = self.onsite
        for daemon in ("tundev-agent", "tundev-netd"):
            host.background(daemon).stop()
        rules = host.run("ip", "rule").stdout
        self.assertNotIn("lookup 1 ", rules + " ")
        self.assertNotIn("rdv_session", host.run("nft", "list", "ruleset").stdout)
