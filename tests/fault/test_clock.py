"""A wall clock that is wrong or jumps: devices without a battery clock connect, and no session drops."""

from __future__ import annotations

import select
import subprocess
import time

from case import LabCase
from clock import WallClock, offset_to

from lab.process import until
from lab.topology import CAMERA

DEVICES = ("master", "onsite")
DAEMONS = ("tundev-netd", "tundev-agent")
DAY = 86400.0


class WrongClocks(LabCase):
    def assert_connects_in(self, year: int) -> None:
        """Both devices start in that year; they connect and hold a session as if nothing were wrong."""
        for device in DEVICES:
            for daemon in reversed(DAEMONS):
                self.lab[device].background(daemon).stop()
        marks = {d: {n: len(self.lab[d].background(n).log) for n in DAEMONS} for d in DEVICES}
        started = time.monotonic()
        for device in DEVICES:
            clock = WallClock(self.lab, device, *DAEMONS, seconds=offset_to(year))
            self.addCleanup(clock.__exit__)
            clock.__enter__()
        self.lab.daemons.wait_online(["master", "rpi1100"])
        online = time.monotonic() - started
        LabCase.setUp(self)
        for device in DEVICES:
            said = self.lab[device].background("tundev-agent").log[marks[device]["tundev-agent"] :]
            self.assertEqual({line[:4] for line in said.splitlines()}, {str(year)}, said)
            self.assertIn("this device's clock is wrong; the server's time is used for certificates", said)
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
            self.assertNotIn(str(year), session.output, "people are told the server's time")
        print(f"       devices in {year}: online {online:.1f} s after the start of their daemons")

    def test_devices_that_believe_it_is_1970_connect_and_hold_a_session(self) -> None:
        self.assert_connects_in(1970)

    def test_devices_that_believe_it_is_the_day_their_image_was_built_connect_and_hold_a_session(self) -> None:
        self.assert_connects_in(2023)

    def test_devices_that_are_ten_years_ahead_connect_and_hold_a_session(self) -> None:
        self.assert_connects_in(time.gmtime().tm_year + 10)


class ClocksThatJump(LabCase):
    def test_a_day_ahead_and_back_on_all_three_in_a_session_drops_nothing(self) -> None:
        clocks = [WallClock(self.lab, "rdv", "rdv-server")]
        clocks += [WallClock(self.lab, device, *DAEMONS) for device in DEVICES]
        for clock in clocks:
            self.addCleanup(clock.__exit__)
            clock.__enter__()
        LabCase.setUp(self)
        session = self.open_session()
        shell = self.start_shell()
        self.assert_echoes(shell, "before")
        for seconds in (DAY, 0.0):
            for clock in clocks:
                clock.jump_to(seconds)
                self.assert_echoes(shell, f"right after the jump to {seconds:g}")
            # Longer than every timer that runs: the echo of each end (5 s) comes twice.
            time.sleep(11)
            self.assert_echoes(shell, f"some time after the jump to {seconds:g}")
        self.assertEqual(len(self.sessions()), 1)
        self.assertNotIn("interrupted", session.output)
        session.press_ctrl_c()
        self.assertEqual(session.wait_end(), 0, session.output)

    def test_a_device_whose_clock_jumped_while_it_was_connected_opens_the_next_session(self) -> None:
        for device in DEVICES:
            clock = WallClock(self.lab, device, *DAEMONS)
            self.addCleanup(clock.__exit__)
            clock.__enter__()
            LabCase.setUp(self)
            clock.jump_to(20 * 365 * DAY)
            with self.session() as session:
                session.wait_established()
                self.assert_reaches_camera()

    def start_shell(self) -> subprocess.Popen:
        """One ssh connection from the laptop to the camera that answers line by line until the test ends."""
        host = self.laptop
        shell = host.popen(
            *("ssh", "-F", host.directory / "ssh_config", CAMERA, "cat"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        return shell

    def assert_echoes(self, shell: subprocess.Popen, word: str) -> None:
        shell.stdin.write(f"{word}\n")
        shell.stdin.flush()
        until(f"{word!r} from the camera's shell", lambda: select.select([shell.stdout], [], [], 0.1)[0])
        self.assertEqual(shell.stdout.readline().strip(), word)
