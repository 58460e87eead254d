"""The lab as a whole: up, down, and the things that happen to it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from . import laptop, network, people
from .daemons import Daemons, check_programs
from .emulator import DIRECTIONS, EmulatedCable, wire_settings
from .host import Host
from .process import LabError, run
from .services import Services
from .topology import LAPTOP_PORT, Topology


class Lab:
    """One lab by name ($RDV_LAB, or "rdvlab"): namespaces NAME-HOST, files in /run/NAME.

    An object of this class holds no state beyond the topology; any number of them may speak of the
    same lab.
    """

    def __init__(self, topology: str = "", name: str = "") -> None:
        self.name = name or os.environ.get("RDV_LAB", "rdvlab")
        # A hyphen would make the lab "a-b" one more host of the lab "a", which goes down with it.
        if not re.fullmatch("[a-z0-9]{1,24}", self.name):
            raise LabError(f"{self.name!r} is no name for a lab: take small letters and digits, 24 at most (RDV_LAB)")
        self.root = Path("/run") / self.name
        self.inbox = self.root / "inbox"  # where the person may write, on whatever host
        self._marker = self.root / "topology"
        self._made = self.root / "made"
        self.topology = Topology(topology or self._read_marker().get("topology") or "one")
        self.hosts = {host: Host(self.name, host) for host in self.topology.hosts}
        self.services = Services(self.root, self.hosts)
        self.daemons = Daemons(self.hosts, self.topology)

    def __getitem__(self, host: str) -> Host:
        if host not in self.hosts:
            raise LabError(f"no host {host!r} in topology {self.topology.name}: {', '.join(self.hosts)}")
        return self.hosts[host]

    def _read_marker(self) -> dict:
        try:
            return json.loads(self._marker.read_text())
        except (OSError, ValueError):
            return {}

    @property
    def is_up(self) -> bool:
        """True when the network of some topology stands, whole."""
        return bool(self._read_marker())

    def up(self, bare: bool = False) -> None:
        """Makes the lab be there, with daemons unless `bare`. What is there already stays as it is.

        Another topology, or one that was only half made, is taken down first.
        """
        if os.geteuid() != 0:
            raise LabError("only root can make network namespaces: run it with sudo")
        if not bare:
            check_programs()
        if self._read_marker().get("topology") != self.topology.name:
            self.down()
            self._make()
        for host in self.hosts.values():
            host.start_bus()
        self.services.start(self.topology.suffixes)
        for host in self.hosts.values():
            host.wait_bus()
        network.wait_links(self.topology, self.hosts)
        if not bare:
            self.daemons.start()
        for suffix in self.topology.suffixes:
            self.plug(f"master{suffix}")
        self.services.wait(self.topology.suffixes)
        if not bare:
            for suffix in self.topology.suffixes:
                laptop.wait_lease(self.hosts[f"laptop{suffix}"])

    def _make(self) -> None:
        self.root.mkdir(exist_ok=True)
        people.add(self._made)
        for host in self.hosts.values():
            host.directory.mkdir()
        self.inbox.mkdir()
        shutil.chown(self.inbox, people.PERSON, people.PERSON)
        network.lay(self.topology, self.hosts)
        self._marker.write_text(json.dumps({"topology": self.topology.name}))

    def down(self) -> None:
        """Takes everything away that up() made. Without a lab it does nothing."""
        if not self.root.exists() and not network.namespaces(self.name):
            return
        network.take_away(self.name)
        people.remove(self._made)
        if self.root.exists():
            shutil.rmtree(self.root)

    # --- what happens to the laptop's port ---------------------------------------------------------------------

    def plug(self, master: str = "master", port: str = LAPTOP_PORT, link: str = "eth0") -> None:
        laptop.plug(self.laptop_of(master), self[master], port, link)

    def unplug(self, master: str = "master", port: str = LAPTOP_PORT, link: str = "eth0") -> None:
        laptop.unplug(self.laptop_of(master), self[master], port, link)

    def laptop_of(self, master: str) -> Host:
        return self[master.replace("master", "laptop")]

    # --- faults --------------------------------------------------------------------------------------------------

    def cut(self, router: str) -> None:
        """A router drops everything it should forward, silently, in both directions."""
        self.mend(router)
        self[router].run("nft", "insert rule inet lab forward counter drop comment \"cut\"")

    def mend(self, router: str) -> None:
        """Ends a cut; without one it does nothing."""
        chain = json.loads(self[router].run("nft", "-j", "-a", "list chain inet lab forward").stdout)
        for entry in chain["nftables"]:
            rule = entry.get("rule", {})
            if rule.get("comment") == "cut":
                self[router].run("nft", f"delete rule inet lab forward handle {rule['handle']}")

    # --- the way to the internet ---------------------------------------------------------------------------------

    def emulate(
        self,
        host: str,
        up: dict | None = None,
        down: dict | None = None,
        seed: int | None = None,
        **both: float | bool,
    ) -> dict:
        """Gives the cable from `host` (a router, or rdv) to the internet a rate, a queue, a delay and losses.

        Of each direction (up: towards the internet): rate_mbit (0: unlimited), delay_ms (one way), loss (per cent),
        queue_bytes (of the FIFO in front of the rate), open (False: a black hole). Keywords are for both directions,
        `up` and `down` for one. What is not named stays as it is; at first nothing is limited and the queue has
        1.25 MB. `seed` begins the losses anew. Counters begin at 0 with every call; the answer is as from link().
        """
        cable = self._emulated(host)
        request: dict[str, object] = {"reset": True} | ({} if seed is None else {"seed": seed})
        for direction, own in zip(DIRECTIONS, (up, down)):
            request[direction] = wire_settings(both | (own or {}))
        cable.lay()
        return cable.ask(request)

    def link(self, host: str, reset: bool = False) -> dict:
        """Settings and counters of an emulated cable: {"up": {…}, "down": {…}}; `reset` sets them to 0 afterwards."""
        cable = self._emulated(host)
        state = cable.ask({})
        if reset:
            cable.ask({"reset": True})
        return state

    def emulate_off(self, host: str) -> None:
        """Makes it a plain cable again, as fast as the machine; without an emulator it does nothing."""
        self._emulated(host).take_away()

    def _emulated(self, host: str) -> EmulatedCable:
        try:
            return EmulatedCable(self.name, self.topology, self.hosts, host)
        except KeyError as error:
            raise LabError(error.args[0]) from None

    def status(self) -> str:
        """Each host with its addresses and processes."""
        if not network.namespaces(self.name):
            return f"no lab {self.name} is up\n"
        running = network.processes([host.netns for host in self.hosts.values()])
        lines = [f"lab {self.name}, topology {self.topology.name}, files in {self.root}"]
        for host in self.hosts.values():
            lines.append(f"{host.name}:")
            addresses = run(["ip", "-n", host.netns, "-br", "addr"], check=False).stdout
            lines += [f"    {line}" for line in addresses.splitlines() if not line.startswith("lo ")]
            lines += network.describe(running[host.netns])
        cables = [self._emulated(cable.a.host) for cable in self.topology.cables if cable.b.host == "internet"]
        lines += [f"emulated: {cable.describe()}" for cable in cables if cable.is_laid]
        return "\n".join(lines) + "\n"
