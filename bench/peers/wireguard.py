"""wireguard-go as hub and spoke. It needs UDP, which the customer's router does not let out but for this: a reference."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.process import until
from lab.topology import RDV_ADDRESS

from .peer import Peer

ADDRESSES = {"server": "10.7.0.1/24", "master": "10.7.0.2/24", "onsite": "10.7.0.3/24"}
SOCKETS = Path("/var/run/wireguard")
MTU = 1420


class WireGuard(Peer):
    protocol = "udp"
    port = 51820
    _made_sockets = False

    def start_server(self) -> None:
        self._made_sockets = not SOCKETS.exists()
        keys = {name: self._key(name) for name in ADDRESSES}
        config = f"[Interface]\nPrivateKey={keys['server'][0]}\nListenPort={self.port}\n"
        for name, allowed in (("master", "10.7.0.2/32"), ("onsite", f"10.7.0.3/32,{self.net}")):
            config += f"[Peer]\nPublicKey={keys[name][1]}\nAllowedIPs={allowed}\n"
            reach = "0.0.0.0/0" if name == "master" else "10.7.0.0/24"
            self.write(
                f"{name}.conf",
                f"[Interface]\nPrivateKey={keys[name][0]}\n[Peer]\nPublicKey={keys['server'][1]}\n"
                f"Endpoint={RDV_ADDRESS}:{self.port}\nAllowedIPs={reach}\nPersistentKeepalive=25\n",
            )
        self.write("server.conf", config)
        self._up("server")
        self.host("server").run("ip", "route", "add", self.net, "dev", self._name("server"))

    def start_onsite(self) -> None:
        self._up("onsite")

    def start_master(self) -> None:
        self._up("master")

    def _name(self, part: str) -> str:
        """Its control sockets are in one directory for all namespaces, so names differ."""
        return f"wg{self.number}{part[0]}-{self.lab.name}"[:15]

    def _key(self, name: str) -> tuple[str, str]:
        """Private and public."""
        host = self.host("server")
        private = host.run("wg", "genkey").stdout.strip()
        return private, host.run("wg", "pubkey", stdin=private + "\n").stdout.strip()

    def _up(self, part: str) -> None:
        device, host = self._name(part), self.host(part)
        self.background(part, part, "env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", device)
        self.wait_device(part, device)
        until(f"the control socket of {device}", (SOCKETS / f"{device}.sock").is_socket)
        host.run("wg", "setconf", device, self.directory / f"{part}.conf")
        host.run("ip", "addr", "add", ADDRESSES[part], "dev", device)
        host.run("ip", "link", "set", device, "mtu", MTU)
        host.run(self.hook(part), device)

    def clean_up(self) -> None:
        if self._made_sockets:
            shutil.rmtree(SOCKETS, ignore_errors=True)
