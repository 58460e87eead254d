"""What takes longer than anybody waits for it ($RDV_IMAGE_ALL=1): power cuts at random, another board, sizes."""

from __future__ import annotations

import os
import random
import time
import unittest

from guest import IMAGE, Pi3
from world import NAME, ONSITE_NAME, world

from lab.session import Session
from lab.topology import CAMERA

CUTS = int(os.environ.get("RDV_IMAGE_CUTS", "4"))
ONLINE_SECONDS = 120
OPEN_SECONDS = 60
PACKED_MIB_MAX = 200


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
        with Session(world().master, ONSITE_NAME) as session:
            session.wait_established(OPEN_SECONDS)
            page = world().laptop.run("curl", "-sS", "--max-time", 30, f"http://{CAMERA}/").stdout
            self.assertIn("camera", page)
        onsite.power_off()
        world().unplug()

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
            master.check_data()
            master.power_on()
            master.wait_ready()
            self.assertEqual(world().identity(), before, f"cut {moment:.1f} s after power-on")
            world().lab.daemons.wait_online([NAME], ONLINE_SECONDS)

    def test_starts_a_raspberry_pi_3(self) -> None:
        master = world().master
        master.power_off()
        pi = Pi3(master, world().engineer, master.key)
        self.addCleanup(pi.remove)
        pi.insert_card()
        pi.power_on()
        print(f"       ready {pi.wait_ready()[1]} s after the kernel began")
        self.assertIn("Raspberry Pi 3 Model B", pi.console())
