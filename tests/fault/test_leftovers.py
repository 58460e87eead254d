"""Nothing is left: links, addresses, rules, routes, nft, sysctls and processes are after a session as before it."""

from __future__ import annotations

from case import LabCase
from ghosts import GhostCase

from lab.process import LabError


class NothingIsLeft(GhostCase):
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

    def test_after_unplugging_and_plugging_in_again(self) -> None:
        session = self.open_session()
        self.lab.unplug("master")
        session.wait_end()
        self.heal()
        self.assert_works_again()

    def test_after_both_daemons_of_a_device_were_stopped(self) -> None:
        for host in ("master", "onsite"):
            session = self.open_session()
            for daemon in ("tundev-agent", "tundev-netd"):
                self.lab[host].background(daemon).stop()
            session.wait_end(40)
            self.heal()
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
