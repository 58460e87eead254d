"""From one version to the next while an engineer works. Two versions of the same source: what differs is the number, and a
line of device.toml."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from debian_root import packages
from machine import Machine
from stalls import stalls
from world import YES, world

from lab.process import run

NEXT = "+next"


def next_version(deb: Path, folder: Path) -> Path:
    """The same package with a higher version and another comment in its conffile."""
    tree = folder / deb.stem
    run(["dpkg-deb", "--raw-extract", str(deb), str(tree)])
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^(Version: .*)$", rf"\1{NEXT}", control.read_text(), flags=re.MULTILINE))
    config = tree / "etc" / "rdv" / "device.toml"
    if config.exists():
        config.write_text("# A line of the next version.\n" + config.read_text())
    made = folder / f"{deb.name.split('_')[0]}_next.deb"
    run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)])
    return made


class Upgrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        world().install()
        folder = tempfile.TemporaryDirectory(prefix="rdv-next-")
        cls.addClassCleanup(folder.cleanup)
        cls.server_deb, cls.device_deb = sorted(next_version(deb, Path(folder.name)) for deb in packages())

    def setUp(self) -> None:
        stalls()
        self.began = time.monotonic()
        world().wait_online()

    def upgrade(self, machine: Machine, deb: Path, options: str = "") -> str:
        """What apt said."""
        machine.put(deb)
        said = machine.shell(f"apt install {options} ./{deb.name}", YES)
        name = deb.name.split("_")[0]
        self.assertIn(NEXT, machine.shell(f"dpkg-query -W -f '${{Version}}' {name}"))
        return said

    def pings(self) -> subprocess.Popen:
        """The laptop pings the camera ten times a second."""
        process = world().laptop.popen("ping", "-n", "-i0.1", "192.168.1.50", stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def assert_gap(self, pings: subprocess.Popen, seconds_max: float) -> float:
        """Ends the pings. Answers for how long none came back."""
        pings.send_signal(signal.SIGINT)
        said = pings.communicate(timeout=30)[0]
        numbers = [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", said)]
        self.assertGreater(len(numbers), 1, said)
        gap = max(b - a for a, b in zip(numbers, numbers[1:])) / 10
        self.assertLess(gap, seconds_max + stalls().since(self.began), said)
        return gap

    def test_of_the_server_interrupts_a_session_and_resumes_it(self) -> None:
        before = world().server.shell("systemctl show --property=MainPID --value rdv-server")
        with world().session() as session:
            session.wait_established()
            pings = self.pings()
            started = time.monotonic()
            self.upgrade(world().server, self.server_deb)
            session.wait_heard(r"resumed after [\d.]+ s")
            took = time.monotonic() - started
            self.assertNotIn("anew", session.output)
            self.assertIn("camera", world().fetch())
            gap = self.assert_gap(pings, 10)
            resumed = re.search(r"resumed after ([\d.]+) s", session.output)[1]
            print(f"       apt took {took:.1f} s with all; resumed after {resumed} s, longest gap of a ping {gap:.1f} s")
        self.assertNotEqual(world().server.shell("systemctl show --property=MainPID --value rdv-server"), before)
        self.assertEqual(world().server.shell("systemctl is-active rdv-server.socket").strip(), "active")

    def pids(self, machine: Machine) -> str:
        return machine.shell("systemctl show --property=MainPID --value tundev-netd tundev-agent")

    def test_of_a_device_leaves_a_session_alone_and_keeps_what_was_configured(self) -> None:
        onsite = world().onsite
        onsite.shell("echo '# Changed by its administrator.' >>/etc/rdv/device.toml")
        before = self.pids(onsite)
        with world().session() as session:
            session.wait_established()
            pings = self.pings()
            said = self.upgrade(onsite, self.device_deb, "-o Dpkg::Options::=--force-confold")
            self.assertIn("systemctl restart tundev-netd tundev-agent", said)
            self.assertIn("camera", world().fetch())
            self.assert_gap(pings, 1)
            self.assertNotIn("interrupted", session.output)
        self.assertEqual(self.pids(onsite), before)
        onsite.shell("systemctl restart tundev-netd tundev-agent")
        self.assertIn("# Changed by its administrator.", onsite.shell("cat /etc/rdv/device.toml"))

    def test_of_a_device_without_a_session_restarts_it(self) -> None:
        master = world().master
        before = self.pids(master)
        self.upgrade(master, self.device_deb)
        self.assertNotEqual(self.pids(master), before)
        self.assertIn("# A line of the next version.", master.shell("cat /etc/rdv/device.toml"))
        world().wait_online()
        self.assertIn("rpi2000", master.shell("tundev status"))
