"""Plain ssh port forwarding, TCP only and one port at a time: `ssh -R` from the onsite, `ssh -L` from the master."""

from __future__ import annotations

from lab.lab import Lab
from lab.process import until
from lab.topology import CAMERA, EXTREMITY, RDV_ADDRESS

from . import sshd
from .peer import Peer

FORWARDED = (5202, 22, 80)  # iperf3, ssh, web; the master offers them all from FIRST on
FIRST_AT_SERVER = 15200
FIRST_AT_MASTER = 16200


class SshForward(Peer):
    """The laptop finds the camera's ports at the master's own address: `port_of`."""

    carries = frozenset({"tcp"})
    port = 2222

    def __init__(self, lab: Lab, name: str, number: int) -> None:
        super().__init__(lab, name, number)
        self.target = EXTREMITY

    @staticmethod
    def port_of(port: int) -> int:
        """Where the laptop reaches this port of the camera."""
        return FIRST_AT_MASTER + FORWARDED.index(port)

    def start_server(self) -> None:
        sshd.start(self, RDV_ADDRESS, self.port)

    def start_onsite(self) -> None:
        ways = [f"127.0.0.1:{FIRST_AT_SERVER + n}:{CAMERA}:{port}" for n, port in enumerate(FORWARDED)]
        self._forward("onsite", "-R", ways)
        self.wait_port("server", FIRST_AT_SERVER + len(FORWARDED) - 1)

    def start_master(self) -> None:
        ways = [f"0.0.0.0:{FIRST_AT_MASTER + n}:127.0.0.1:{FIRST_AT_SERVER + n}" for n in range(len(FORWARDED))]
        self._forward("master", "-L", ways)
        self.wait_port("master", FIRST_AT_MASTER)

    def _forward(self, part: str, option: str, ways: list[str]) -> None:
        options = [word for way in ways for word in (option, way)]
        self.background(part, part, *sshd.client(self, RDV_ADDRESS, self.port, "-g", *options))

    def wait_camera(self) -> None:
        fetch = ("curl", "-s", "-o", "/dev/null", "-m", "2", f"http://{EXTREMITY}:{self.port_of(80)}/")
        until("the camera's page", lambda: self.lab["laptop"].run(*fetch, check=False).returncode == 0)
