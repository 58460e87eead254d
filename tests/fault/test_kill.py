"""A daemon is killed with 9 in a running session and started again: the laptop's own connections go on, and nothing is left.

The rows are measured as those of test_resume.py.
"""

from __future__ import annotations

import time

from fault_case import ESTABLISHED, INTERRUPTED, FaultCase, Ride, tell
from ghosts import GhostCase

from lab.people import OPERATOR
from lab.process import LabError, until
from lab.session import Session
from lab.topology import CAMERA

AGAIN_S_MAX = 5.0


class KillCase(FaultCase, GhostCase):
    def kill(self, host: str, *daemons: str) -> None:
        for daemon in daemons:
            self.lab[host].background(daemon).kill()

    def start(self, host: str, *daemons: str) -> None:
        for daemon in daemons:
            self.lab.daemons.start_daemon(host, daemon)

    def assert_closes_and_leaves_nothing(self, session: Session) -> None:
        session.press_ctrl_c()
        self.assert_ends(session, 0)
        self.heal()
        self.assert_as_before(40)

    def assert_over(self) -> None:
        """Closed everywhere, and the laptop is told so."""
        until("the end of the session at the server", lambda: not self.sessions())
        self.heal()
        self.assert_as_before(40)
        self.assert_unreachable(CAMERA)


class ADaemonIsKilled(KillCase):
    def ride(self, host: str, daemon: str) -> None:
        """Started at once, as systemd does."""
        self.way(100)
        ride = Ride(self, f"kill -9 of {daemon} on {host}, started at once")
        ride.strike(lambda: self.kill(host, daemon))
        self.start(host, daemon)
        ride.wait_noticed()
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell(f"; resumed after {ride.resumed_s:.2f} s")
        self.assertIn('"resumed":true', ride.session.output.replace(" ", ""))
        self.assertNotIn('"anew":true', ride.session.output.replace(" ", ""))
        self.assertEqual(len(self.sessions()), 1)
        ride.shell.stop()
        ride.copy.stop()
        self.assert_closes_and_leaves_nothing(ride.session)
        self.assert_works_again()
        self.assert_promised(again, AGAIN_S_MAX)

    def test_the_masters_agent(self) -> None:
        self.ride("master", "tundev-agent")

    def test_the_masters_netd(self) -> None:
        self.ride("master", "tundev-netd")

    def test_the_onsites_agent(self) -> None:
        self.ride("onsite", "tundev-agent")

    def test_the_onsites_netd(self) -> None:
        self.ride("onsite", "tundev-netd")

    def test_all_four_one_after_the_other_in_the_same_session(self) -> None:
        session = self.watched_session()
        shell = self.shell()
        for host in ("onsite", "master"):
            for daemon in ("tundev-netd", "tundev-agent"):
                seen = len(session.output)
                self.kill(host, daemon)
                self.start(host, daemon)
                session.wait_heard(ESTABLISHED, seen)
                shell.echo_s()
        shell.stop()
        self.assert_closes_and_leaves_nothing(session)

    def test_both_of_a_device_have_its_session_opened_anew(self) -> None:
        for host in ("master", "onsite"):
            session = self.watched_session()
            seen = len(session.output)
            killed = time.monotonic()
            self.kill(host, "tundev-agent", "tundev-netd")
            self.start(host, "tundev-netd", "tundev-agent")
            when, _ = session.wait_heard(ESTABLISHED, seen)
            self.assertIn('"anew":true', session.output.replace(" ", ""))
            self.assert_reaches_camera()
            tell(f"fault: kill -9 of both daemons on {host}, started at once: a new session {when - killed:.2f} s after")
            self.assert_closes_and_leaves_nothing(session)


class AnEndInTheGap(KillCase):
    """What somebody wants while a daemon is dead is done as soon as there is one again."""

    def gap(self, host: str, daemon: str, *options: str) -> Session:
        session = self.open_session("rpi1100", "--json", *options)
        seen = len(session.output)
        self.kill(host, daemon)
        session.wait_heard(INTERRUPTED, seen)
        return session

    def test_the_engineer_ends_it(self) -> None:
        session = self.gap("master", "tundev-agent")
        session.press_ctrl_c()
        self.assert_ends(session, 0, "engineer ended it")
        self.start("master", "tundev-agent")
        self.assert_over()

    def test_masterdev_is_killed(self) -> None:
        session = self.gap("master", "tundev-agent")
        session.kill()
        session.wait_end()
        self.start("master", "tundev-agent")
        self.assert_over()

    def test_the_engineer_ends_it_while_netd_is_dead(self) -> None:
        session = self.gap("master", "tundev-netd")
        session.press_ctrl_c()
        self.assert_ends(session, 0, "engineer ended it")
        self.start("master", "tundev-netd")
        self.assert_over()

    def test_an_administrator_ends_it(self) -> None:
        session = self.gap("onsite", "tundev-agent")
        self.rdvctl("session", "close", self.sessions()[0]["id"])
        self.assert_ends(session, 1, "administrator")
        self.start("onsite", "tundev-agent")
        self.assert_over()

    def test_the_customer_ends_it(self) -> None:
        session = self.gap("master", "tundev-agent")
        self.lab["onsite"].run("onsitedev", "stop", privileges=OPERATOR)
        self.start("master", "tundev-agent")
        self.assert_ends(session, 1, "the customer ended it")
        self.assert_over()

    def test_its_time_is_over(self) -> None:
        for host in ("onsite", "master"):
            session = self.gap_in_time(host)
            until("the end of the session at the server", lambda: not self.sessions())
            self.start(host, "tundev-agent")
            self.assert_ends(session, 0, "its time is over")
            self.assert_over()

    def gap_in_time(self, host: str) -> Session:
        """In a session of some seconds; one that was over before the agent was dead says nothing, and there is another."""
        try:
            return self.gap(host, "tundev-agent", "-t", "3")
        except LabError:
            self.heal()
            return self.gap(host, "tundev-agent", "-t", "15")

    def test_its_onsite_is_revoked(self) -> None:
        session = self.gap("onsite", "tundev-agent")
        self.rdvctl("device", "revoke", "rpi1100")
        self.addCleanup(self.enrol_again, "onsite", "rpi1100")
        self.assert_ends(session, 1, "revoked")
        agent = self.lab["onsite"].background("tundev-agent")
        seen = len(agent.log)
        self.start("onsite", "tundev-agent")
        agent.wait_log("revoked", offset=seen)
        self.assertFalse(self.lab.daemons.device_list()["rpi1100"]["online"])

    def test_the_laptop_is_unplugged_while_the_agent_is_dead(self) -> None:
        session = self.gap("master", "tundev-agent")
        self.lab.unplug("master")
        self.assert_ends(session, 1, "unplugged")
        self.lab.plug("master")
        self.start("master", "tundev-agent")
        self.assert_over()

    def test_the_laptop_is_unplugged_while_the_session_is_opened_anew(self) -> None:
        session = self.gap("onsite", "tundev-agent")
        self.kill("onsite", "tundev-netd")
        self.start("onsite", "tundev-agent")
        session.wait_heard("anew", 0, 30)
        self.lab.unplug("master")
        self.assert_ends(session, 1, "unplugged")
        self.lab.plug("master")
        self.start("onsite", "tundev-netd")
        self.assert_over()

    def test_the_laptop_is_unplugged(self) -> None:
        session = self.gap("master", "tundev-netd")
        self.lab.unplug("master")
        self.start("master", "tundev-netd")
        self.assert_ends(session, 1, "unplugged|adapter")
        self.assert_over()

    def test_nothing_passes_in_it(self) -> None:
        for host, daemon in (("onsite", "tundev-netd"), ("master", "tundev-agent")):
            session = self.gap(host, daemon)
            said = self.laptop.run("ping", "-n", "-c3", "-i0.2", "-W1", CAMERA, check=False).stdout
            self.assertIn(" 0 received", said)
            seen = len(session.output)
            self.start(host, daemon)
            session.wait_heard(ESTABLISHED, seen)
            self.assert_closes_and_leaves_nothing(session)
