"""The lab with one master that is an emulated Raspberry Pi; server, onsite, camera and laptop are the lab's."""

from __future__ import annotations

import json

from guest import Guest

from lab import laptop as laptops
from lab.host import REPO, Host
from lab.lab import Lab
from lab.process import run
from lab.topology import CAMERA, DEVICE_LAN

NAME = "rpi2000"
ONSITE_NAME = "rpi1300"
# An emulated machine is some twenty times slower than a Pi.
ENROL_SECONDS = 120
LEASE_SECONDS = 60
IN_CUSTOMERS_LAN = "192.168.1.77/24"


class World:
    """One for all tests of a run, which come one after the other: a boot takes more than a minute."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.laptop = lab["laptop"]
        self.engineer = lab["router-a"]
        self.master = Guest(lab["master"], self.engineer, lab.services.keys / "engineer")
        self.onsite: Guest | None = None
        self.boot_seconds = 0

    def start(self) -> None:
        """All but the master, which has a cable and no card yet."""
        self.lab.up(bare=True)
        self.lab.unplug()
        daemons = self.lab.daemons
        daemons.init_server()
        daemons.start_server()
        daemons.start_device("onsite")
        daemons.enrol("onsite")
        self.master.lay_cable()
        self._lend_addresses(self.engineer)

    @staticmethod
    def _lend_addresses(router: Host) -> None:
        """A router gives the device's address to whoever asks."""
        lease = f"{DEVICE_LAN},{DEVICE_LAN},1h"
        router.start(
            "dhcp",
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0", "--interface=lan0"),
            *("--bind-interfaces", f"--dhcp-range={lease}", "--dhcp-authoritative", "--log-dhcp", "--log-facility=-"),
            "--dhcp-ignore-clid",  # each card has an id of its own, in the same place
            *(f"--dhcp-leasefile={router.directory / 'leases'}",),
        )

    # --- what a test begins with; each does nothing when it is so already ----------------------------------------------

    def boot(self) -> None:
        if self.boot_seconds and self.master.is_on:
            return
        if not self.boot_seconds:
            self.provision(self.master, NAME, "master")
        self.master.power_on()
        self.boot_seconds = self.master.wait_ready()[1]

    def put_another_card(self, card: str) -> Guest:
        """In the master's place, without its power: boot() brings the master back once this one is off."""
        self.master.power_off()
        return Guest(self.master, self.engineer, self.master.key, card)

    def provision(self, guest: Guest, name: str, role: str) -> None:
        """A new card that becomes this device by itself."""
        guest.insert_card()
        self.put_file(guest, name, "add", name, "--role", role, "--ssh-key", f"{guest.key}.pub")

    def put_file(self, guest: Guest, name: str, *command: str) -> None:
        """The file that `rdvctl device COMMAND` makes, onto the card."""
        file = self.lab.inbox / f"{name}.toml"
        file.unlink(missing_ok=True)
        self.lab.daemons.rdvctl("device", *command, "--sd-file", str(file))
        run([str(REPO / "raspberry-image" / "provision"), str(guest.card), str(file)])

    def enrol(self) -> None:
        self.boot()
        self.lab.daemons.wait_online([NAME], ENROL_SECONDS)

    def plug(self) -> dict[str, str]:
        """The laptop's lease."""
        self.enrol()
        if not self.master.has_adapter():
            laptops.forget_address(self.laptop)  # of an adapter that went when the power did
            self.master.plug(self.laptop)
        return laptops.wait_lease(self.laptop, LEASE_SECONDS)

    def unplug(self) -> None:
        self.master.unplug(self.laptop)

    def page_in_the_customers_lan(self) -> str:
        """The camera's, for the laptop with an address of that LAN, in a session of mode L2."""
        address = [IN_CUSTOMERS_LAN, "dev", "eth0"]
        self.laptop.run("ip", "address", "add", *address)
        try:
            return self.laptop.run("curl", "-sS", "--max-time", 30, f"http://{CAMERA}/").stdout
        finally:
            self.laptop.run("ip", "address", "del", *address)

    def boot_onsite(self) -> Guest:
        """A second card, in the place of the lab's onsite; enrolled as ONSITE_NAME."""
        for daemon in ("tundev-agent", "tundev-netd"):
            self.lab["onsite"].background(daemon).stop()
        self.onsite = Guest(self.lab["onsite"], self.lab["router-b"], self.master.key)
        self.onsite.lay_cable()
        self._lend_addresses(self.onsite.engineer)
        self.provision(self.onsite, ONSITE_NAME, "onsite")
        self.onsite.power_on()
        self.onsite.wait_ready()
        self.lab.daemons.wait_online([ONSITE_NAME], ENROL_SECONDS)
        return self.onsite

    def identity(self) -> list[str]:
        """What would be another one's, were it lost: ids, keys and certificate, and who the server says it is."""
        files = ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key", "/var/lib/rdv-tundev/identity.1", "/var/lib/rdv-tundev/identity.2")
        device = json.loads(self.master.run("tundev", "status", "--json").stdout)
        return [*self.master.run("sha256sum", *files).stdout.splitlines(), device["system"], device["role"], device["name"]]

    # --- the end ------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        for guest in filter(None, (self.onsite, self.master)):
            guest.remove()
        self.lab.down()


_world: list[World] = []


def make(lab: Lab) -> World:
    _world.append(World(lab))
    return _world[0]


def world() -> World:
    return _world[0]


__all__ = ["IN_CUSTOMERS_LAN", "NAME", "ONSITE_NAME", "World", "make", "world"]
