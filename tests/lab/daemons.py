"""RDV itself in the lab: configuration, users, start, enrolment. Only the commands that people use are called."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

from . import people
from .host import Host, build_dir, program_dirs
from .process import Background, LabError, until
from .topology import RDV_ADDRESS, RDV_PORT, Topology

SERVER_CONFIG = """# rdv-server in the lab
listen = ["0.0.0.0:{port}", "[::]:{port}"]
public_address = "{address}:{port}"
state_dir = "{directory}/state"

[log]
level = "debug"
"""
DEVICE_CONFIG = """# a device in the lab: read by tundev-agent and tundev-netd
state_dir = "{directory}/state"
runtime_dir = "{directory}/run"

[log]
level = "debug"
"""
BUS_NAMES = {"rdv-server": "org.rdv.Server1", "tundev-netd": "org.rdv.Netd1", "tundev-agent": "org.rdv.Device1"}
PRIVILEGES = {"rdv-server": people.SERVER, "tundev-netd": people.NETD, "tundev-agent": people.AGENT}
SITES = {"onsite": "Royal Champagne, boiler room", "onsite2": "Domaine des Hauts, cellar"}
ONSITE_NAMES = {"onsite": "rpi1100", "onsite2": "rpi1200"}


def device_name(host: str) -> str:
    """The name a lab host is enrolled under: onsites like a customer's, masters as they are."""
    return ONSITE_NAMES.get(host, host)


def check_programs() -> None:
    """A missing program is a LabError that says how to get it."""
    path = ":".join(map(str, program_dirs()))
    for name in ("rdv-server", "rdvctl", "tundev-netd", "tundev-agent", "tundev", "masterdev"):
        if not shutil.which(name, path=path):
            raise LabError(f"no program {name} in {build_dir()}: build it with scripts/build")


class Daemons:
    """The server and the devices of one lab."""

    def __init__(self, hosts: dict[str, Host], topology: Topology) -> None:
        self.hosts = hosts
        self.server = hosts["rdv"]
        self.devices = topology.onsites + topology.masters

    def start(self) -> None:
        """Initialises and starts the server, starts and enrols every device, waits until all are online."""
        check_programs()
        self.init_server()
        with ThreadPoolExecutor(8) as pool:
            started = [pool.submit(self.start_server)]
            started += [pool.submit(self.start_device, name) for name in self.devices]
            for one in started:
                one.result()
            list(pool.map(self.enrol, self.devices))
        self.wait_online([device_name(name) for name in self.devices])

    def init_server(self) -> None:
        directory = self.server.directory
        config = directory / "server.toml"
        if config.exists():
            return
        state = directory / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(state, "rdv", "rdv")
        config.write_text(
            SERVER_CONFIG.format(address=RDV_ADDRESS, port=RDV_PORT, directory=directory)
        )
        try:
            self.server.run("rdvctl", "--config", config, "init", "--address", f"{RDV_ADDRESS}:{RDV_PORT}")
        except LabError:
            config.unlink()
            raise

    def start_daemon(self, host: str, name: str) -> Background:
        """Starts one daemon (unless it runs) as its user, and waits for its name on the bus."""
        config = "server.toml" if name == "rdv-server" else "device.toml"
        where = self.hosts[host]
        process = where.start(
            name, name, "--config", where.directory / config, privileges=PRIVILEGES[name]
        )
        where.wait_bus_name(BUS_NAMES[name], process)
        return process

    def start_server(self) -> None:
        self.start_daemon("rdv", "rdv-server")
        until("rdv-server on port 443", lambda: self.server.listens(RDV_PORT))

    def start_device(self, host: str) -> None:
        """netd first: the agent would only wait for it."""
        directory = self.hosts[host].directory
        for sub, user in (("state", "rdv-tundev"), ("run", "rdv-netd")):
            path = directory / sub
            path.mkdir(mode=0o700 if sub == "state" else 0o755, exist_ok=True)
            shutil.chown(path, user, user)
        config = directory / "device.toml"
        if not config.exists():
            config.write_text(DEVICE_CONFIG.format(directory=directory))
        self.start_daemon(host, "tundev-netd")
        self.start_daemon(host, "tundev-agent")

    def enrol(self, host: str) -> None:
        """As a person does it: a code from the server's administrator, typed on the device. Twice is once."""
        if (self.hosts[host].directory / "state" / "identity.1").exists():
            return
        name, role = device_name(host), "master" if host.startswith("master") else "onsite"
        code = self.add_device(name, role, SITES.get(host, ""))
        self.hosts[host].run("tundev", "enroll", code, privileges=people.OPERATOR)

    def add_device(self, name: str, role: str, site: str = "") -> str:
        """Registers a device and answers its one-time code."""
        options = ["--site", site] if site else []
        added = self.rdvctl("device", "add", name, "--role", role, *options, "--json")
        return json.loads(added)["code"]

    def rdvctl(self, *argv: str) -> str:
        """What rdvctl prints, called by an administrator; a failure is a LabError."""
        return self.server.run("rdvctl", *argv, privileges=people.OPERATOR).stdout

    def device_list(self) -> dict[str, dict]:
        """The server's devices by name, with the keys of org.rdv.Server1.ListDevices."""
        answer = json.loads(self.rdvctl("device", "list", "--json"))
        devices = answer["devices"] if isinstance(answer, dict) else answer
        return {device["name"]: device for device in devices}

    def wait_online(self, names: list[str], seconds: float = 60) -> None:
        """Waits until the server has these devices online (a back-off may have to end: cap 30 s)."""

        def all_online() -> bool:
            devices = self.device_list()
            return all(devices.get(name, {}).get("online") for name in names)

        until(f"{', '.join(names)} online", all_online, seconds, 0.05)
