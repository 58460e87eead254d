"""An onsite with several ways to the internet: a cable of its own, and a mobile network when that fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from fault_case import FaultCase, tell

from lab.daemons import DEVICE_CONFIG
from lab.lab import Lab
from lab.process import until

RETURN_AFTER_S = 5  # the shortest that can be configured; 60 is the default
CABLE, MOBILE = "router-c", "router-d"  # behind eth1 and wwan0
UPLINK_CONFIG = f"""
[uplink]
devices = ["eth1", "wwan"]
return_after = {RETURN_AFTER_S}
"""


class UplinkCase(FaultCase):
    """In a lab of its own, the topology `uplinks`."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = Lab("uplinks", f"{os.environ.get('RDV_LAB', 'rdvlab')}u")
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up(bare=True)
        cls.laptop, cls.master, cls.onsite, cls.camera = (
            cls.lab[name] for name in ("laptop", "master", "onsite", "camera")
        )
        cls.rdv = cls.lab["rdv"]
        config = DEVICE_CONFIG.format(directory=cls.onsite.directory) + UPLINK_CONFIG
        (cls.onsite.directory / "device.toml").write_text(config)
        cls.lab.up()

    def setUp(self) -> None:
        super().setUp()
        self.addresses = {
            router: self.lab.topology.uplink_of(router).a.addresses[0].split("/")[0] for router in (CABLE, MOBILE)
        }
        self.addCleanup(self.plug_in)
        self.wait_by(CABLE, 40)

    def unplug(self) -> None:
        self.lab[CABLE].run("ip", "link", "set", "lan0", "down")

    def plug_in(self) -> None:
        self.lab[CABLE].run("ip", "link", "set", "lan0", "up")

    def wait_by(self, router: str, seconds: float) -> dict:
        """Waits until the server has the onsite online by this router; answers what it knows of it."""

        def there() -> dict | None:
            onsite = self.lab.daemons.device_list()["rpi1100"]
            return onsite if onsite["online"] and onsite["public_address"].startswith(self.addresses[router]) else None

        return until(f"the onsite by {router}", there, seconds, 0.02)

    def timed(self, fault: Callable[[], object], router: str, seconds: float) -> float:
        """Seconds from the fault until the server has the onsite by this router."""
        fault()
        began = time.monotonic()
        self.wait_by(router, seconds)
        return time.monotonic() - began


class AnUplinkFails(UplinkCase):
    def test_its_cable_is_cut_and_the_device_comes_back_by_the_second_one_and_later_by_the_first(self) -> None:
        main_table = self.onsite.run("ip", "route", "show", "table", "main").stdout
        lost_s = self.timed(self.unplug, MOBILE, 10)
        kind = until(
            "the other kind of uplink in the list",
            lambda: self.lab.daemons.device_list()["rpi1100"]["uplink"] == "wwan",
            5,
        )
        self.assertTrue(kind)
        back_s = self.timed(self.plug_in, CABLE, 40)
        tell(f"uplink: cable cut: online by the second one after {lost_s:.2f} s; plugged in: by the first after {back_s:.1f} s")
        self.assertLessEqual(lost_s, 3.0)
        self.assertGreaterEqual(back_s, RETURN_AFTER_S)
        until(
            "the kind of the first uplink in the list",
            lambda: self.lab.daemons.device_list()["rpi1100"]["uplink"] == "lan",
            5,
        )
        self.assertEqual(self.onsite.run("ip", "route", "show", "table", "main").stdout, main_table)
