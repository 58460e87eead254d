"""tinc 1.0 over TCP in router mode: both devices know only the server's node, which relays."""

from __future__ import annotations

from lab.topology import RDV_ADDRESS

from .peer import Peer

NODES = {"server": "10.6.0.1", "master": "10.6.0.2", "onsite": "10.6.0.3"}
CONFIG = """Name = {name}
Mode = router
Interface = {device}
TCPOnly = yes
AddressFamily = ipv4
Port = {port}
"""


class Tinc(Peer):
    port = 655

    def start_server(self) -> None:
        for name, address in NODES.items():
            self._configure(name, address)
        for name in NODES:
            public = (self.directory / name / "hosts" / name).read_text()
            for other in NODES:
                self.write(f"{other}/hosts/{name}", public)
        self._start("server")
        self.wait_port("server", self.port)

    def start_onsite(self) -> None:
        self._start("onsite")
        self.wait_device("onsite")

    def start_master(self) -> None:
        self._start("master")

    def _configure(self, name: str, address: str) -> None:
        connect = "" if name == "server" else "ConnectTo = server\n"
        self.write(f"{name}/tinc.conf", CONFIG.format(name=name, device=self.device, port=self.port) + connect)
        lines = ["TCPOnly = yes", f"Subnet = {address}/32"]
        if name == "server":
            lines.append(f"Address = {RDV_ADDRESS} {self.port}")
        if name == "onsite":
            lines.append(f"Subnet = {self.net}")
        self.write(f"{name}/hosts/{name}", "\n".join([*lines, ""]))
        up = f'#!/bin/sh\nip addr add {address}/24 dev "$INTERFACE"\nexec {self.hook(name)} "$INTERFACE"\n'
        self.write(f"{name}/tinc-up", up)
        (self.directory / name / "tinc-up").chmod(0o755)
        self.host("server").run("tincd", "-c", self.directory / name, "-K2048", stdin="\n\n")

    def _start(self, part: str) -> None:
        directory = self.directory / part
        self.background(part, part, "tincd", "-c", directory, "-D", f"--pidfile={directory}/pid")
