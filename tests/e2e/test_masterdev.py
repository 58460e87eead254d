"""masterdev at a real terminal: what it lists, how it opens, and how each end of a session is told."""

from __future__ import annotations

import json
import os
import re
import signal
import time

from case import LabCase, LabError

from lab.people import OPERATOR, STRANGER
from lab.process import COMES_S, is_alive, until
from lab.session import Session
from lab.topology import CAMERA, DEVICE_LAN


class Listing(LabCase):
    def test_it_shows_every_column_and_the_total(self) -> None:
        said = self.masterdev("-l").stdout
        heading, *rows = said.splitlines()
        self.assertRegex(heading, r"NAME +SITE +HOSTNAME +LAN +UPLINK +PUBLIC ADDRESS +STATE +IN USE BY")
        row = next(r for r in rows if r.startswith("rpi1100"))
        self.assertRegex(
            row,
            rf"rpi1100 +Royal Champagne, boiler room +\S+ +{DEVICE_LAN}/24 +\w+ +198\.51\.100\.6\S* +online since 20\S+ \S+ UTC +-",
        )
        self.assertRegex(rows[-1], r"^2 onsites, 2 online$")

    def test_it_shows_who_is_on_an_onsite_and_since_when(self) -> None:
        self.open_session("rpi1200", master="master2")
        row = next(r for r in self.masterdev("-l").stdout.splitlines() if r.startswith("rpi1200"))
        self.assertRegex(row, r"master2 since 20\d\d-\d\d-\d\d \d\d:\d\d UTC$")

    def test_the_same_as_json(self) -> None:
        answer = json.loads(self.masterdev("-l", "--json").stdout)
        self.assertEqual((answer["total"], answer["online"]), (2, 2))
        first = next(o for o in answer["devices"] if o["name"] == "rpi1100")
        self.assertEqual((first["site"], first["lan"], first["online"]), ("Royal Champagne, boiler room", f"{DEVICE_LAN}/24", True))

    def test_an_offline_onsite_is_shown_with_when_it_was_last_seen(self) -> None:
        self.onsite.background("tundev-agent").stop()
        until("rpi1100 offline", lambda: not self.lab.daemons.device_list()["rpi1100"]["online"], every=0.05)
        said = self.masterdev("-l").stdout
        self.assertRegex(said, r"rpi1100 .*offline since 20\S+ \S+ UTC")
        self.assertIn("2 onsites, 1 online", said)

    def test_who_is_not_in_the_group_is_refused_with_a_reason(self) -> None:
        done = self.master.run("masterdev", "-l", privileges=STRANGER, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"(?s)^masterdev: .+: .+\nmasterdev: .*rdv-operator")


class Usage(LabCase):
    def test_wrong_usage_is_exit_code_2_and_a_word_of_help(self) -> None:
        for argv in ([], ["-x"], ["-l", "-o", "rpi1100"], ["-o", "UPPER CASE"], ["-o", "rpi1100", "-m", "L9"], ["-o", "rpi1100", "-t", "soon"]):
            with self.subTest(argv=argv):
                done = self.masterdev(*argv, check=False)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                self.assertRegex(done.stderr, "^masterdev: ")

    def test_T_is_accepted(self) -> None:
        self.assertEqual(self.masterdev("-T", "-l").returncode, 0)

    def test_an_onsite_that_does_not_exist_is_refused_with_what_to_do(self) -> None:
        with self.session("rpi9999") as session:
            self.assert_ends(session, 1, "cannot open a session to rpi9999: .+", "masterdev -l")

    def test_another_user_or_server_than_the_enrolled_one_is_wrong_usage(self) -> None:
        self.assertEqual(self.masterdev("-u", "somebody", "-l", check=False).returncode, 2)
        self.assertEqual(self.masterdev("-R", "198.51.100.99", "-l", check=False).returncode, 2)
        self.assertEqual(self.masterdev("-u", "master", "-R", "203.0.113.10:443", "-l").returncode, 0)


class Opening(LabCase):
    def test_established_is_said_only_after_an_echo_through_the_whole_path(self) -> None:
        with self.session() as session:
            session.wait_established()
            # Nothing more to wait for: the very first packet of the laptop goes through, though it may take its time.
            self.assertIn("1 received", self.laptop.run("ping", "-n", "-c1", f"-W{COMES_S}", CAMERA).stdout)

    def test_an_offline_onsite_is_waited_for_and_connected_when_it_comes(self) -> None:
        self.onsite.background("tundev-agent").stop()
        until("rpi1100 offline", lambda: not self.lab.daemons.device_list()["rpi1100"]["online"], every=0.05)
        with self.session() as session:
            session.wait_output("offline since")
            session.wait_output("waiting")
            self.lab.daemons.start_device("onsite")
            session.wait_established()
            self.assert_reaches_camera()

    def test_waiting_for_an_offline_onsite_ends_with_Ctrl_C(self) -> None:
        self.onsite.background("tundev-agent").stop()
        until("rpi1100 offline", lambda: not self.lab.daemons.device_list()["rpi1100"]["online"], every=0.05)
        with self.session() as session:
            session.wait_output("waiting")
            session.press_ctrl_c()
            self.assert_ends(session, 0)

    def test_a_busy_onsite_says_by_whom_and_since_when(self) -> None:
        self.open_session("rpi1100", master="master2")
        with self.session("rpi1100") as session:
            session.wait_heard(r"master2 .*since 20\d\d-\d\d-\d\d \d\d:\d\d UTC")
            self.assertNotIn("established", session.output)

    def test_without_the_laptop_plugged_in_it_says_what_to_do(self) -> None:
        self.lab.unplug("master")
        with self.session() as session:
            self.assert_ends(session, 1, "cannot open a session to rpi1100", "plug")

    def test_events_as_json_lines(self) -> None:
        with self.session("rpi1100", "--json") as session:
            session.wait_output('"established"')
            session.press_ctrl_c()
            session.wait_end()
        lines = [json.loads(line) for line in re.findall(r"^(?:\^C)?(\{.*\})\s*$", session.output, re.MULTILINE)]
        self.assertEqual([line["state"] for line in lines if line["state"] in ("established", "closed")], ["established", "closed"])


class Ending(LabCase):
    """Each way a session ends: the cause in words, the exit code, and the laptop told at once."""

    def assert_over(self, master: str = "master") -> None:
        until("the end of the session on the server", lambda: not self.sessions(), every=0.05)
        self.assert_unreachable()
        for end in (self.lab[master], self.onsite):
            until(f"the end of the tunnel on the {end.name}", lambda: "rdv0" not in end.run("ip", "-br", "link").stdout)

    def test_by_Ctrl_C(self) -> None:
        session = self.open_session()
        session.press_ctrl_c()
        self.assert_ends(session, 0, "session closed: the engineer ended it; .* received, .* sent in")
        self.assert_over()

    def test_by_SIGTERM(self) -> None:
        session = self.open_session()
        os.kill(session.pid, signal.SIGTERM)
        self.assert_ends(session, 0, "session closed: ")
        self.assert_over()

    def test_by_a_terminal_that_is_closed(self) -> None:
        session = self.open_session()
        session.close_terminal()
        session.wait_end()
        self.assert_over()

    def test_by_kill_9_of_masterdev(self) -> None:
        session = self.open_session()
        session.kill()
        session.wait_end()
        self.assert_over()

    def test_by_its_time_limit(self) -> None:
        try:
            session, seconds = self.open_session("rpi1100", "-t", "2"), 2
        except LabError:  # a machine that stood still: its time was over before it was established
            session, seconds = self.open_session("rpi1100", "-t", "15"), 15
        session.wait_heard(r"until 20\S+ \S+ UTC")
        self.assert_ends(session, 0, "session closed: its time is over")
        self.assertGreater(time.monotonic() - session.started, seconds - 0.1)
        self.assert_over()

    def test_by_unplugging_the_laptop(self) -> None:
        session = self.open_session()
        self.lab.unplug("master")
        self.assert_ends(session, 1, "the laptop's network adapter was unplugged", "plug the laptop in again")
        self.lab.plug("master")
        self.setUp()
        self.assert_over()

    def test_by_the_cable_of_the_laptop(self) -> None:
        session = self.open_session()
        self.laptop.run("ip", "link", "set", "eth0", "down")
        self.addCleanup(self.lab.unplug, "master")
        self.assert_ends(session, 1, "the laptop's network cable was unplugged")

    def test_by_the_administrator_of_the_server(self) -> None:
        session = self.open_session()
        self.rdvctl("session", "close", self.sessions()[0]["id"])
        self.assert_ends(session, 1, "the administrator of the server closed it")
        self.assert_over()

    def test_by_the_customer(self) -> None:
        session = self.open_session()
        self.onsite.run("onsitedev", "stop", privileges=OPERATOR)
        self.assert_ends(session, 1, "the customer ended it")
        self.assert_over()

    def test_by_an_onsite_whose_agent_was_stopped(self) -> None:
        session = self.open_session()
        self.onsite.background("tundev-agent").stop()
        self.assert_ends(session, 1, "the session to rpi1100 broke off: ")
        self.assert_over()

    def test_a_new_session_can_be_opened_at_once(self) -> None:
        for _ in range(5):
            with self.session() as session:
                session.wait_established()
                self.assert_reaches_camera()
                session.press_ctrl_c()
                self.assert_ends(session, 0)
                self.assertFalse(is_alive(session.pid))


class Interrupting(LabCase):
    """What breaks is told with its time, and masterdev keeps holding: the engineer has nothing to do."""

    INTERRUPTED = r"(?m)^\d\d:\d\d:\d\d interrupted: .+; trying to resume \(up to 10 min\)$"
    RESUMED = r"(?m)^\d\d:\d\d:\d\d resumed after \d+\.\d s$"

    def cut_until_interrupted(self, router: str) -> Session:
        session = self.open_session()
        self.lab.cut(router)
        session.wait_heard(self.INTERRUPTED, seconds=40)
        return session

    def test_an_onsite_that_is_suddenly_silent_is_resumed_when_it_is_heard_again(self) -> None:
        session = self.cut_until_interrupted("router-b")
        self.lab.mend("router-b")
        session.wait_heard(self.RESUMED)
        self.assert_reaches_camera()
        session.press_ctrl_c()
        self.assert_ends(session, 0, "session closed: the engineer ended it")

    def test_the_masters_own_line_being_cut_is_the_same(self) -> None:
        session = self.cut_until_interrupted("router-a")
        self.lab.mend("router-a")
        session.wait_heard(self.RESUMED)
        self.assert_reaches_camera()

    def test_Ctrl_C_ends_it_while_it_is_interrupted(self) -> None:
        session = self.cut_until_interrupted("router-a")
        session.press_ctrl_c()
        self.assert_ends(session, 0, "session closed: the engineer ended it")
        self.assert_unreachable()
        self.lab.mend("router-a")
        until("an answer of the server", lambda: self.masterdev("-l", check=False).returncode == 0, 60, 0.2)

    def test_a_killed_service_of_the_master_closes_the_way_and_its_return_resumes_the_session(self) -> None:
        session = self.open_session()
        self.master.background("tundev-agent").kill()
        session.wait_heard(r"(?m)^\d\d:\d\d:\d\d interrupted: the device's service stopped; trying to resume")
        said = self.laptop.run("ping", "-n", "-c3", "-i0.3", "-W1", CAMERA, check=False).stdout
        self.assertIn(" 0 received", said)
        self.lab.daemons.start_device("master")
        session.wait_heard(self.RESUMED)
        self.assert_reaches_camera()


class TwoAdapters(LabCase):
    def test_the_first_is_used_and_the_second_is_named_in_a_warning(self) -> None:
        log = self.master.background("tundev-netd")
        before = len(log.log)
        self.lab.plug("master", "usb1", "eth1")
        self.addCleanup(self.lab.unplug, "master", "usb1", "eth1")
        until("a warning of usb1", lambda: re.search(r"(?im)warn.*usb1", log.log[before:]))
        self.open_session()
        self.assert_reaches_camera()
        try:
            until("an address on usb1", lambda: "192.168." in self.master.run("ip", "-br", "addr", "show", "usb1").stdout, 1)
        except LabError:
            return
        self.fail("the second adapter was set up, too")
