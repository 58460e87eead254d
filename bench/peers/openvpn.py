"""OpenVPN 2.6 as a hub over TCP: one server with client-to-client and iroute, mutual TLS."""

from __future__ import annotations

from lab.lab import Lab
from lab.topology import RDV_ADDRESS

from .peer import Peer

SERVER = """mode server
tls-server
dev {device}
dev-type tun
topology subnet
proto tcp-server
local {address}
port {port}
server 10.8.{number}.0 255.255.255.0
client-config-dir {directory}/clients
route {alias} 255.255.255.0
client-to-client
ca {ca}
cert {cert}
key {key}
dh none
keepalive 10 60
verb 1
"""
CLIENT = """client
dev {device}
dev-type tun
proto tcp-client
remote {address} {port}
nobind
remote-cert-tls server
ca {ca}
cert {cert}
key {key}
route-noexec
script-security 2
up {hook}
verb 1
"""


class OpenVpn(Peer):
    """`both` and `server`: further lines of the configurations; `queue`: txqueuelen of the devices."""

    def __init__(self, lab: Lab, name: str, number: int, both=(), server=(), queue: int = 500) -> None:
        super().__init__(lab, name, number)
        self.port = 1190 + number
        self.queue = queue
        self._both = "".join(f"{line}\n" for line in both)
        self._server = "".join(f"{line}\n" for line in server)

    def start_server(self) -> None:
        push = "ifconfig-push 10.8.{}.{} 255.255.255.0\n"
        self.write("clients/master", push.format(self.number, 2))
        iroute = f"iroute {self._alias()} 255.255.255.0\n"
        self.write("clients/onsite", push.format(self.number, 3) + iroute)
        text = SERVER.format(number=self.number, directory=self.directory, alias=self._alias(), **self._words("server"))
        config = self.write("server.conf", text + self._both + self._server)
        self.background("server", "server", "openvpn", "--config", config)
        self.wait_port("server", self.port)

    def start_onsite(self) -> None:
        self._start_client("onsite")
        self.wait_device("onsite")

    def start_master(self) -> None:
        self._start_client("master")

    def _start_client(self, part: str) -> None:
        text = CLIENT.format(hook=self.hook(part), **self._words(part))
        self.background(part, part, "openvpn", "--config", self.write(f"{part}.conf", text + self._both))

    def _alias(self) -> str:
        return self.net.split("/")[0]

    def _words(self, name: str) -> dict[str, object]:
        keys = {"ca": self.pki["ca.crt"], "cert": self.pki[f"{name}.crt"], "key": self.pki[f"{name}.key"]}
        return {"device": self.device, "address": RDV_ADDRESS, "port": self.port, **keys}
