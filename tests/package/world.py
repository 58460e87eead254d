"""The lab with three bare Debian machines in it, and RDV installed on them by the commands of INSTALL.md."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import install_guide
from debian_root import bare_root, packages
from machine import Machine

from lab import laptop as laptops
from lab.lab import Lab
from lab.process import COMES_S, until
from lab.session import Session
from lab.topology import RDV_ADDRESS

MACHINES = {"server": "rdv", "onsite": "onsite", "master": "master"}
YES = "y\n" * 20  # to apt's questions


class World:
    """One for all tests of a run: what it took to install is a test of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        base = bare_root()
        self.machines = {name: Machine(lab[host], base) for name, host in MACHINES.items()}
        self.server, self.onsite, self.master = self.machines.values()
        self.laptop = lab["laptop"]
        self.codes: list[str] = []
        self.said: list[tuple[str, str, str]] = []  # place, block, what it printed
        self._is_installed = False

    def boot(self) -> None:
        name = f"{RDV_ADDRESS} rdv.example.com\n"  # who asks a real name server gets the same answer
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda machine: machine.boot(name), self.machines.values()))

    def power_off(self) -> None:
        for machine in self.machines.values():
            machine.power_off()

    def journals(self) -> str:
        return "".join(f"\n{m.name}:\n{m.journal()}" for m in self.machines.values() if m.leader)

    # --- INSTALL.md ---------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Up to the first ping, the first time it is called; afterwards all three are online, and no session runs."""
        if self._is_installed:
            return
        for name, machine in self.machines.items():
            machine.put(*(deb for deb in packages() if deb.name.startswith("rdv-server") is (name == "server")))
        session = None
        for block in install_guide.blocks():
            for place in ("onsite", "master") if block.where == "device" else (block.where,):
                session = self._run(place, block.text) or session
        assert session, "INSTALL.md opens no session"
        session.__exit__()
        self._is_installed = True

    def _run(self, place: str, text: str) -> Session | None:
        """A `masterdev -o` holds a terminal: it is the last line of its block, and the answer."""
        lines, _, held = text.partition("masterdev -o ")
        if lines:
            self._run_lines(place, lines)
        if not held:
            return None
        laptops.wait_lease(self.laptop)
        return self.session(*held.split()).wait_established()

    def _run_lines(self, place: str, lines: str) -> None:
        if place == "laptop":
            printed = self.laptop.run("sh", "-ec", lines).stdout
        else:
            if "CODE" in lines:
                lines = lines.replace("CODE", self.codes.pop(0))
            printed = self.machines[place].shell(lines, YES)
        self.said.append((place, lines, printed))
        self.codes += re.findall(r"enter: sudo tundev enroll (.+)", printed)

    # --- what a test does ---------------------------------------------------------------------------------------------

    def session(self, onsite: str = "rpi1100", *options: str) -> Session:
        return Session(self.master, onsite, *options)

    def wait_online(self) -> None:
        until("both devices online", lambda: self.server.shell("rdvctl device list --json").count('"online": true') == 2, 60)

    def fetch(self, address: str = "192.168.1.50") -> str:
        """A page as the laptop's browser gets it, asked for again until it comes."""
        again = ("--retry", "99", "--retry-all-errors", "--retry-delay", "1", "--retry-max-time", COMES_S)
        argv = ("curl", "-sS", "--max-time", COMES_S, *again, f"http://{address}/")
        return self.laptop.run(*argv, seconds=2 * COMES_S + 10).stdout


_world: list[World] = []


def start(lab: Lab) -> World:
    _world.append(World(lab))
    return world()


def world() -> World:
    return _world[0]


__all__ = ["World", "start", "world"]
