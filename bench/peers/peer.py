"""One peer: its server, its onsite's and its master's end, and the camera's address on its way."""

from __future__ import annotations

from lab.host import Host
from lab.lab import Lab
from lab.process import Background, LabError, tail, until

from .. import aliases
from .pki import Pki

UP_S = 20.0


class Peer:
    """A subclass says `port` and writes `start_server`, `start_onsite`, `start_master`; they end with the lab.

    `number` tells peers apart: alias, tunnel addresses, device names. `carries`: what may be sent through it.
    """

    protocol = "tcp"
    carries = frozenset({"tcp", "udp", "icmp"})
    port = 0
    queue = 500  # txqueuelen of the tunnel's devices

    def __init__(self, lab: Lab, name: str, number: int) -> None:
        self.lab = lab
        self.name = name
        self.number = number
        self.directory = lab.root / "peers" / name
        self.pki = Pki(lab.root / "peers" / "pki")
        self.device = f"tun{number}"
        self.net = aliases.net(number)
        self.target = aliases.camera(number)
        self.parts: dict[str, list[Background]] = {"server": [], "master": [], "onsite": []}

    def start_server(self) -> None:
        raise NotImplementedError

    def start_onsite(self) -> None:
        raise NotImplementedError

    def start_master(self) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Starts all of it; wait() answers when the laptop may use it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pki.make()
        let_out = f"insert rule inet lab forward iifname lan0 {self.protocol} dport {self.port} accept"
        self.lab["router-b"].run("nft", let_out)
        self.start_server()
        self.start_onsite()
        self.start_master()

    def wait(self) -> None:
        """A session of RDV must be open: the master lets nothing of the laptop pass before."""
        try:
            self.wait_camera()
        except LabError as error:
            logs = "".join(f"\n{p.log_file}:\n{tail(p.log, 6)}" for part in self.parts.values() for p in part)
            raise LabError(f"{self.name}: {error}{logs}") from None

    def wait_camera(self) -> None:
        aliases.wait(self.lab, self.target, UP_S)

    def stop_master(self) -> None:
        """Ends the master's end, as an engineer who closes the session."""
        for program in reversed(self.parts["master"]):
            program.stop()
        self.parts["master"].clear()

    def clean_up(self) -> None:
        """What it left outside the lab's directory; called when the lab is gone."""

    # --- for subclasses ------------------------------------------------------------------------------------------

    def background(self, part: str, what: str, *argv: object) -> Background:
        """Starts a program of this peer in the host of its part."""
        host = self.host(part)
        program = host.start(f"{self.name}-{what}", *argv)
        if program not in self.parts[part]:
            self.parts[part].append(program)
        return program

    def host(self, part: str) -> Host:
        return self.lab["rdv" if part == "server" else part]

    def wait_port(self, part: str, port: int) -> None:
        until(f"{self.name} on port {port} of its {part}", lambda: self.host(part).listens(port), UP_S, 0.01)

    def wait_device(self, part: str, device: str = "") -> None:
        link = device or self.device
        argv = ("ip", "link", "show", link)
        until(f"{link} of {self.name}", lambda: self.host(part).run(*argv, check=False).returncode == 0, UP_S, 0.01)

    def hook(self, part: str) -> str:
        """A program `HOOK DEVICE` that makes a device's tunnel ready: up, forwarding, and on the master the way into it."""
        lines = ["#!/bin/sh", f'ip link set "$1" up txqueuelen {self.queue}', 'sysctl -qw "net.ipv4.conf.$1.forwarding=1"']
        if part == "master":
            lines.append(f'ip route replace {self.net} dev "$1" table 1')
        path = self.write(f"hook-{part}", "\n".join([*lines, "exit 0", ""]))
        (self.directory / f"hook-{part}").chmod(0o755)
        return path

    def write(self, name: str, text: str) -> str:
        """A file of this peer; answers its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)
