"""An onsite with several ways to the internet: a cable of its own, and a mobile network when that fails."""

from __future__ import annotations

import os
import subprocess

from fault_case import FaultCase, Ride

from lab.daemons import DEVICE_CONFIG
from lab.lab import Lab
from lab.people import OPERATOR
from lab.process import COMES_S, until
from lab.topology import FURTHER_UPLINKS

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

    def wait_by(self, router: str, seconds: float = COMES_S) -> dict:
        """Waits until the server has the onsite online by this router; answers what it knows of it."""

        def there() -> dict | None:
            onsite = self.lab.daemons.device_list()["rpi1100"]
            return onsite if onsite["online"] and onsite["public_address"].startswith(self.addresses[router]) else None

        return until(f"the onsite by {router}", there, seconds, 0.02)


class AnUplinkFails(UplinkCase):
    """With a session in which a file is copied. Its legs go by the uplink that the control connection has."""

    def setUp(self) -> None:
        super().setUp()
        for router in (CABLE, MOBILE):
            self.way(100, router=router)

    def assert_lived_through(self, ride: Ride, noticed_max: float, again_max: float) -> None:
        noticed = ride.wait_noticed()
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell()
        self.assert_promised(noticed, noticed_max)
        self.assert_promised(again, again_max)

    def assert_listed_as(self, kind: str) -> None:
        until(f"{kind!r} in the list", lambda: self.lab.daemons.device_list()["rpi1100"]["uplink"] == kind)

    def test_its_cable_is_cut_and_the_device_comes_back_by_the_second_one_and_later_by_the_first(self) -> None:
        ride = Ride(self, "the cable of the onsite's uplink is pulled, the next is a mobile network")
        main_table = self.main_table()
        ride.strike(self.unplug)
        self.assert_lived_through(ride, 2.0, 3.0)
        self.wait_by(MOBILE)
        self.assert_listed_as("wwan")
        # Plugged in, it must be well for a while before the device goes back: the copy is to last longer.
        for router in (CABLE, MOBILE):
            self.way(100, rate_mbit=20, router=router)
        ride = Ride(self, "and plugged in again", session=ride.session)
        ride.strike(self.plug_in)
        back_s = ride.wait_noticed(40)
        ride.wait_resumed()
        ride.wait_goes_on()
        ride.tell(f"; back after {back_s:.1f} s")
        self.assertGreaterEqual(ride.noticed - ride.striking, RETURN_AFTER_S)
        self.assert_promised(ride.longest_s, 3.0)
        self.wait_by(CABLE)
        self.assert_listed_as("lan")
        until("the main table as before", lambda: self.main_table() == main_table)

    def main_table(self) -> str:
        """Its routes. The kernel may say for up to a second more that a link is down."""
        return self.onsite.run("ip", "route", "show", "table", "main").stdout

    def test_another_one_is_fixed_and_given_back(self) -> None:
        ride = Ride(self, "onsitedev -U wwan0")
        ride.strike(lambda: self.onsitedev("-U", "wwan0"))
        self.assert_lived_through(ride, 2.0, 3.0)
        self.wait_by(MOBILE)
        self.assertIn("uplink:  wwan0 and no other", self.onsitedev().stdout)
        refused = self.onsitedev("-U", "wwan9", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(
            refused.stderr,
            "onsitedev: cannot fix the uplink: there is no interface wwan9\n"
            "onsitedev: there are: eth0, eth1, wwan0, rdv0\n",
        )
        self.onsitedev("-U", "auto")
        self.wait_by(CABLE)
        self.assertIn("uplink:  eth1\n", self.onsitedev().stdout)

    def onsitedev(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.onsite.run("onsitedev", *argv, privileges=OPERATOR, check=check)

    def test_it_gets_another_address(self) -> None:
        link, _, net, metric = FURTHER_UPLINKS[0]
        old, new, gateway = f"{net}.2/24", f"{net}.77/24", f"{net}.1"
        self.addCleanup(self.faults.new_address, "onsite", link, new, old, gateway, metric)
        ride = Ride(self, "new address on the onsite's uplink")
        ride.strike(lambda: self.faults.new_address("onsite", link, old, new, gateway, metric))
        self.assert_lived_through(ride, 3.0, 3.0)
