"""What takes longer than anybody waits for it ($RDV_IMAGE_ALL=1): power cuts at random, another board, sizes."""

from __future__ import annotations

import os
import random
import time
import unittest
from pathlib import Path

from guest import BOOT_SECONDS, DATA_AT, DATA_SIZE, IMAGE, Guest, Pi3, Zero
from world import ENROL_SECONDS, IN_CUSTOMERS_LAN, LEASE_SECONDS, NAME, ONSITE_NAME, world

from lab import laptop as laptops
from lab.process import LabError, tail, until
from lab.session import Session
from lab.topology import CAMERA, EXTREMITY

CUTS = int(os.environ.get("RDV_IMAGE_CUTS", "4"))
ONLINE_SECONDS = 120
OPEN_SECONDS = 60
PACKED_MIB_MAX = 200
NAME_SECONDS = 30
ASK = Path(__file__).with_name("ask_name.py")
NEVER_ENROLLED = "rdv-new"
CUT_NAME = "rpi2001"


@unittest.skipUnless(os.environ.get("RDV_IMAGE_ALL"), "RDV_IMAGE_ALL=1 runs it")
class TheCard(unittest.TestCase):
    def test_is_no_larger_than_this(self) -> None:
        packed = IMAGE.with_suffix(".img.zst").stat().st_size / 2**20
        print(f"       {IMAGE.stat().st_size / 2**20:.0f} MiB, packed {packed:.0f} MiB, ready after {world().boot_seconds} s")
        self.assertLess(packed, PACKED_MIB_MAX)

    def test_is_an_onsites_too(self) -> None:
        """Two emulated devices, one session."""
        world().plug()
        onsite = world().boot_onsite()
        self.addCleanup(onsite.power_off)
        self.addCleanup(world().unplug)
        with Session(world().master, ONSITE_NAME) as session:
            session.wait_established(OPEN_SECONDS)
            page = world().laptop.run("curl", "-sS", "--max-time", 30, f"http://{CAMERA}/").stdout
            self.assertIn("camera", page)
        world().lab.daemons.rdvctl("device", "l2", ONSITE_NAME, "on")
        with Session(world().master, ONSITE_NAME, "-m", "L2") as session:
            session.wait_established(OPEN_SECONDS)
            self.assertIn(f"You are {IN_CUSTOMERS_LAN.partition('/')[0]}.", world().page_in_the_customers_lan())
        self.assertEqual(onsite.run("systemctl", "list-units", "--plain", "--no-legend", "rdv-name@*").stdout.strip(), "")

    def test_keeps_the_device_whenever_the_power_is_cut(self) -> None:
        """Cut at a moment between the first sign of life and half a minute after it was ready, and written to meanwhile."""
        world().enrol()
        master, seed = world().master, int(os.environ.get("RDV_FAULT_SEED", time.time()))
        chance = random.Random(seed)
        before = world().identity()
        print(f"       RDV_FAULT_SEED={seed}")
        for _ in range(CUTS):
            master.power_off()
            master.power_on()
            moment = chance.uniform(0, 1.3 * world().boot_seconds)
            time.sleep(moment)  # the moment itself is what is tried
            master.power_off()
            master.check_card()
            master.power_on()
            master.wait_ready()
            self.assertEqual(world().identity(), before, f"cut {moment:.1f} s after power-on")
            world().lab.daemons.wait_online([NAME], ONLINE_SECONDS)

    def test_becomes_the_device_whenever_the_power_is_cut_in_its_first_start(self) -> None:
        """Cut anywhere in the start, while it enrols, and when the server has just made the certificate."""
        world().enrol()
        seed = int(os.environ.get("RDV_FAULT_SEED", time.time()))
        print(f"       RDV_FAULT_SEED={seed}")
        chance = random.Random(seed)
        guest = world().put_another_card("-cut")
        self.addCleanup(guest.remove)
        world().provision(guest, CUT_NAME, "master")
        for moment in (
            lambda: time.sleep(chance.uniform(0, world().boot_seconds)),
            # It may be enrolled by the time the card has what was written first.
            lambda: (self.wait_status(guest, "not enrolled yet", f"{CUT_NAME}: enrolled"), time.sleep(chance.uniform(0, 5))),
            lambda: until("the server's certificate", self.has_certificate, BOOT_SECONDS, 0.001),
        ):
            guest.power_on()
            moment()
            guest.power_off()
            guest.check_card()
        self.assert_enrols(guest)

    def has_certificate(self) -> bool:
        log = world().lab.daemons.server.background("rdv-server").log
        return any("device enrolled" in line and CUT_NAME in line for line in log.splitlines())

    def wait_status(self, guest: Guest, *texts: str) -> str:
        """The first of the texts that the card's status has."""
        found = lambda: next((text for text in texts if text in guest.read_card("rdv-status.txt")), "")  # noqa: E731
        try:
            return until(f"{texts} on the card", found, BOOT_SECONDS + ENROL_SECONDS, 0.2)
        except LabError as error:
            raise LabError(f"{error}; it has:\n{tail(guest.read_card('rdv-status.txt'))}") from None

    def assert_enrols(self, guest: Guest) -> None:
        """By itself, with the code that it has: also when the server's answer to it was lost with the power."""
        guest.power_on()
        self.wait_status(guest, f"{CUT_NAME}: enrolled")
        world().lab.daemons.wait_online([CUT_NAME], ONLINE_SECONDS)
        self.assertEqual(guest.wait_ready()[0], CUT_NAME)
        self.assertEqual(guest.read_card("rdv-provision.toml"), "")

    def test_starts_as_a_new_one_when_its_data_are_lost(self) -> None:
        self.assert_starts_without_data(["shred", "--iterations=1"], "the data partition cannot be used")

    def test_starts_without_what_it_cannot_use_of_its_data(self) -> None:
        self.assert_starts_without_data(["debugfs", "-w", "-R", "write /dev/null kept"], "what was kept of /etc cannot be used")

    def assert_starts_without_data(self, damage: list[str], text: str) -> None:
        guest = world().put_another_card("-damaged")
        self.addCleanup(guest.remove)
        guest.insert_card()
        guest.write_partition(DATA_AT, DATA_SIZE, damage)
        guest.power_on()
        self.assertEqual(guest.wait_ready()[0], NEVER_ENROLLED)
        self.assertIn(f"rdv: {text}", guest.console())

    def test_serves_a_laptop_at_its_only_port_too(self) -> None:
        """A Zero 2 W: the adapter is eth0, which on other boards is the way to the Internet."""
        world().enrol()
        world().master.power_off()
        zero = Zero(world().master, world().laptop, world().master.key)
        self.addCleanup(zero.power_off)
        zero.power_on()
        self.assertEqual(zero.wait_ready()[0], NAME)
        laptops.forget_address(world().laptop)
        zero.plug(world().laptop)
        laptops.wait_lease(world().laptop, LEASE_SECONDS)
        asked = world().laptop.run("python3", ASK, f"{NAME}.local", "eth0", NAME_SECONDS)
        self.assertEqual(asked.stdout.strip(), EXTREMITY)
        self.assertIn("rdv-name@eth0.service", zero.run("systemctl", "list-units", "--plain", "--no-legend", "rdv-name@*").stdout)

    def test_starts_a_raspberry_pi_3(self) -> None:
        master = world().master
        master.power_off()
        pi = Pi3(master, world().engineer, master.key, "-pi3")
        self.addCleanup(pi.remove)
        pi.insert_card()
        pi.power_on()
        print(f"       ready {pi.wait_ready()[1]} s after the kernel began")
        self.assertIn("Raspberry Pi 3 Model B", pi.console())
