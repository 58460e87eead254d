"""What runs on the hosts that are not ours: the customer's camera and router, the office's router, ssh everywhere."""

from __future__ import annotations

from pathlib import Path

from .host import Host
from .people import PERSON
from .process import LabError, run, until
from .topology import CAMERA, DEVICE_LAN, ROUTER_LAN

HERE = Path(__file__).resolve().parent
SSHD_CONFIG = """# sshd of {host}
ListenAddress {address}
HostKey {directory}/ssh_host_key
AuthorizedKeysFile {keys}/engineer.pub
AllowUsers {person}
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UseDNS no
Subsystem sftp internal-sftp
"""
SSH_CONFIG = """# how the engineer's laptop logs in; each host has its own host key
IdentityFile {keys}/engineer
UserKnownHostsFile {directory}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking accept-new
BatchMode yes
ConnectTimeout 30
User {person}
"""


class Services:
    """Starts what the topology's foreign hosts offer. `root` is the lab's directory."""

    def __init__(self, root: Path, hosts: dict[str, Host]) -> None:
        self.root = root
        self.hosts = hosts
        self.keys = root / "keys"

    def start(self, suffixes: list[str]) -> None:
        """Starts all of it; wait() answers when it is there."""
        self._make_keys()
        for s in suffixes:
            self._start_customer(self.hosts[f"router-b{s}"], self.hosts[f"camera{s}"])
            self._start_office(self.hosts[f"router-a{s}"])
            for name, address in ((f"camera{s}", CAMERA), (f"onsite{s}", DEVICE_LAN), (f"master{s}", DEVICE_LAN)):
                self._start_sshd(self.hosts[name], address)
            self._write_ssh_config(self.hosts[f"laptop{s}"])

    def wait(self, suffixes: list[str]) -> None:
        """Returns when every service listens; a service that has ended is a LabError."""
        for s in suffixes:
            camera, router_b, router_a = (self.hosts[f"{n}{s}"] for n in ("camera", "router-b", "router-a"))
            for host, ports in ((camera, (22, 53, 80, 5201)), (router_b, (53,)), (router_a, (53, 80))):
                for port in ports:
                    until(f"port {port} of {host.name}", lambda: host.listens(port))
            for name in (f"onsite{s}", f"master{s}"):
                until(f"ssh on {name}", lambda: self.hosts[name].listens(22))

    def _make_keys(self) -> None:
        self.keys.mkdir(exist_ok=True)
        if not (self.keys / "engineer").exists():
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "engineer", "-f"]
            run([*key, str(self.keys / "engineer")])

    def _start_customer(self, router: Host, camera: Host) -> None:
        """Two name servers that can be told apart: `who.lan TXT` says which of them answered."""
        names = [
            f"--address=/camera.customer.lan/{CAMERA}",
            f"--address=/gateway.customer.lan/{DEVICE_LAN}",
            "--local=/customer.lan/",
        ]
        self._start_dnsmasq(router, ROUTER_LAN, [*names, f"--txt-record=who.lan,{router.name}"])
        self._start_dnsmasq(camera, CAMERA, [*names, f"--txt-record=who.lan,{camera.name}"])
        camera.start("web", "python3", HERE / "camera.py", camera.name)
        camera.start("iperf3", "iperf3", "--server", "--bind", CAMERA)

    def _start_office(self, router: Host) -> None:
        """On the master's own LAN somebody has the camera's address and the customer's names, too."""
        names = [
            f"--address=/camera.customer.lan/{CAMERA}",
            "--address=/printer.office.lan/192.168.1.60",
            f"--txt-record=who.lan,{router.name}",
        ]
        self._start_dnsmasq(router, ROUTER_LAN, names)
        router.start("web", "python3", HERE / "camera.py", router.name)

    def _start_dnsmasq(self, host: Host, address: str, options: list[str]) -> None:
        host.start(
            "dnsmasq",
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="),
            *("--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={address}"),
            *("--user=nobody", "--group=nogroup", "--log-facility=-", "--log-queries", *options),
        )

    def _start_sshd(self, host: Host, address: str) -> None:
        host_key = host.directory / "ssh_host_key"
        if not host_key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(host_key)])
        config = host.directory / "sshd_config"
        config.write_text(
            SSHD_CONFIG.format(
                host=host.name, address=address, directory=host.directory, keys=self.keys, person=PERSON
            )
        )
        host.start("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config)

    def _write_ssh_config(self, laptop: Host) -> None:
        config = laptop.directory / "ssh_config"
        config.write_text(
            SSH_CONFIG.format(keys=self.keys, directory=laptop.directory, person=PERSON)
        )


def host_key_of(host: Host) -> str:
    """The public host key of its sshd, as `ssh-ed25519 AAAA…`."""
    text = (host.directory / "ssh_host_key.pub").read_text().split()
    if len(text) < 2:
        raise LabError(f"{host.name} has no ssh host key")
    return " ".join(text[:2])
