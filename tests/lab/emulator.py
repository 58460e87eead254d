"""A cable to the internet with a rate, a queue, a delay and losses: rdv-lab-link (tests/emulator) in its middle.

    router-b wan0 ====== internet rb0            the plain cable: a veth pair, which costs no time

    router-b wan0 ====== near ~~ rdv-lab-link ~~ far ====== internet rb0

near and far are in a namespace of their own. The router's link stays the same, with its addresses, routes and
conntrack entries; the internet's is a new one of the same name, MAC, addresses and routes. So connections go on
over the change, after a pause of some 10 ms. Each end knows the other's MAC for good: no ARP waits for a slow cable.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from .host import Host, build_dir
from .process import COMES_S, LabError, run, until
from .topology import Cable, Topology

PROGRAM = "rdv-lab-link"
FAR_END = "internet"
DIRECTIONS = ("up", "down")  # up: towards the internet
ANSWER_BYTES_MAX = 65536
# Frames must come as the wire would have them. These stop the kernel from handing on several in one, whoever joined
# them: a cable between two hosts of one machine otherwise carries up to 64 KiB at once.
ONE_FRAME = ["gso_max_segs", "1", "gso_max_size", "1600"]
MANY_FRAMES = ["gso_max_segs", "65535", "gso_max_size", "65536"]


def wire_settings(settings: Mapping[str, float | bool]) -> dict[str, float | bool]:
    """Settings as people say them (rate_mbit, delay_ms, loss, queue_bytes, open) in the words of the program."""
    names = {"delay_ms": "delay_ms", "loss": "loss_percent", "queue_bytes": "queue_bytes", "open": "open"}
    said: dict[str, float | bool] = {}
    for name, value in settings.items():
        if name == "rate_mbit":
            said["rate_bps"] = value * 1e6
        elif name in names:
            said[names[name]] = value
        else:
            raise LabError(f"a cable has no {name!r}; there are: rate_mbit, {', '.join(names)}")
    return said


class EmulatedCable:
    """The cable from one host to the internet. Holds no state: what is laid is in the kernel."""

    def __init__(self, lab: str, topology: Topology, hosts: Mapping[str, Host], host: str) -> None:
        self.cable: Cable = topology.uplink_of(host)
        self.host, self.internet = hosts[host], hosts[FAR_END]
        self._a, self._b = (self.cable.a, self.host), (self.cable.b, self.internet)
        self.between = Host(lab, f"link-{host}")
        self.process = self.between.background(PROGRAM)
        self.control = self.between.directory / "control"

    @property
    def is_laid(self) -> bool:
        return os.path.exists(f"/run/netns/{self.between.netns}")

    def lay(self) -> None:
        """Puts the program into the middle of the cable, where it first does nothing; twice is once.

        When something goes wrong, the cable is a plain one afterwards, and what went wrong is a LabError.
        """
        if self.is_laid and self.process.pid:
            return
        self.take_away()
        program = build_dir() / "tests" / "emulator" / PROGRAM
        if not program.exists():
            raise LabError(f"{PROGRAM} is not built: run scripts/build, or set RDV_BUILD (looked for {program})")
        try:
            self._lay(program)
        except LabError:
            self.take_away()
            raise

    def _lay(self, program: Path) -> None:
        b = self.cable.b
        self.between.directory.mkdir(exist_ok=True)
        run(["ip", "netns", "add", self.between.netns])
        # Nobody lives in between: no address, no router solicitation.
        self.between.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        routes, mac = self._routes(), self._mac(self.internet, b.link)
        _ip(
            self.internet,
            f"link set {b.link} netns {self.between.netns} name near",
            f"link add {b.link} address {mac} type veth peer name far netns {self.between.netns}",
        )
        _ip(self.between, "link set near up", "link set far up")
        self._set_frames(ONE_FRAME)
        self.between.start(PROGRAM, program, "near", "far", self.control)
        self._wait_control()
        self._bring_up(routes)
        self._know_neighbours()

    def take_away(self) -> None:
        """Makes it a plain cable again; one that is plain already stays so."""
        if not self.is_laid:
            return
        routes = self._routes()
        self.process.stop()
        links = run(["ip", "-n", self.between.netns, "-br", "link"]).stdout
        if "far" in links:
            _ip(self.between, "link del far")
        if "near" in links:
            self._forget_neighbours()
            _ip(self.between, f"link set near netns {self.internet.netns} name {self.cable.b.link}")
            self._set_frames(MANY_FRAMES)
            self._bring_up(routes)
        run(["ip", "netns", "del", self.between.netns])
        for file in self.between.directory.iterdir():
            file.unlink()
        self.between.directory.rmdir()

    def describe(self) -> str:
        """For a person: which end, and what differs from a plain cable."""
        if not self.process.pid:
            return f"{self.cable.a.link} of {self.host.name}: {PROGRAM} has ended"
        state = self.ask({})
        names = ("rate_bps", "delay_ms", "loss_percent", "queue_bytes", "open")
        said = [f"{d} " + " ".join(f"{name}={state[d][name]:.10g}" for name in names) for d in DIRECTIONS]
        return f"{self.cable.a.link} of {self.host.name}: " + "; ".join(said)

    def ask(self, request: Mapping[str, object]) -> dict:
        """What the program answers: {"up": {…}, "down": {…}}, settings and counters; a refusal is a LabError."""
        if not self.process.pid:
            raise LabError(f"the cable of {self.host.name} is a plain one: no emulator runs")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            control.settimeout(COMES_S)
            try:
                control.connect(str(self.control))
                control.send(json.dumps(request).encode())
                answer = json.loads(control.recv(ANSWER_BYTES_MAX))
            except (OSError, ValueError) as error:
                raise LabError(f"{PROGRAM} at {self.host.name} does not answer: {error}") from None
        if "error" in answer:
            raise LabError(f"{PROGRAM} at {self.host.name}: {answer['error']}")
        return answer

    def _wait_control(self) -> None:
        def ready() -> bool:
            if not self.process.pid:
                raise LabError(f"{PROGRAM} has ended: {self.process.log[-500:]}")
            return self.control.exists()

        until(f"{PROGRAM} at {self.host.name}", ready, every=0.005)

    def _routes(self) -> list[str]:
        """What the internet routes over this cable, beside the routes that come with an address; any table."""
        found = []
        for family in ("-4", "-6"):
            show = ["ip", "-n", self.internet.netns, family, "route", "show", "table", "all", "dev", self.cable.b.link]
            for line in run(show, check=False).stdout.splitlines():
                if "proto kernel" not in line and "table local" not in line:
                    route = line.replace(" linkdown", "").replace(" dead", "").strip()
                    found.append(f"{family} route replace {route} dev {self.cable.b.link}")
        return found

    def _know_neighbours(self) -> None:
        """No ARP goes a long way: it would add a round trip, and time out behind a full queue."""
        for (end, host), (other, there) in ((self._a, self._b), (self._b, self._a)):
            known = f"lladdr {self._mac(there, other.link)} nud permanent dev {end.link}"
            _ip(host, *(f"neigh replace {ip} {known}" for ip in _plain(other.addresses)))

    def _forget_neighbours(self) -> None:
        """Of the end that stays; those of the other one go with it."""
        (end, host), (other, _) = self._a, self._b
        for ip in _plain(other.addresses):
            run(["ip", "-n", host.netns, "neigh", "del", ip, "dev", end.link], check=False)

    def _mac(self, host: Host, link: str) -> str:
        return json.loads(run(["ip", "-n", host.netns, "-j", "link", "show", link]).stdout)[0]["address"]

    def _set_frames(self, limits: list[str]) -> None:
        for end, host in (self._a, self._b):
            run(["ip", "-n", host.netns, "link", "set", end.link, *limits])

    def _bring_up(self, routes: list[str]) -> None:
        """Gives the internet's end its addresses and routes, and waits until the cable carries packets."""
        link = self.cable.b.link
        lines = [f"addr replace {address} dev {link}" for address in self.cable.b.addresses]
        _ip(self.internet, *lines, f"link set {link} up")
        for route in routes:
            run(["ip", "-n", self.internet.netns, *route.split()])
        for end, host in (self._a, self._b):
            show = ["ip", "-n", host.netns, "-br", "link", "show", end.link]
            until(f"{end.link} of {host.name}", lambda show=show: run(show).stdout.split()[1] == "UP")


def _plain(addresses: tuple[str, ...]) -> list[str]:
    """Without their prefix lengths."""
    return [address.split("/")[0] for address in addresses]


def _ip(host: Host, *lines: str) -> None:
    run(["ip", "-n", host.netns, "-batch", "-"], stdin="\n".join(lines))
