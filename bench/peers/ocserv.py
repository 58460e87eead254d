"""ocserv (the AnyConnect protocol) over TLS with DTLS off, two openconnect clients; the server's kernel routes."""

from __future__ import annotations

from lab.topology import RDV_ADDRESS

from .peer import Peer

SERVER = """auth = "certificate"
tcp-port = {port}
listen-host = {address}
run-as-user = root
run-as-group = root
socket-file = {directory}/socket
occtl-socket-file = {directory}/occtl
use-occtl = false
isolate-workers = false
server-cert = {cert}
server-key = {key}
ca-cert = {ca}
cert-user-oid = 0.9.2342.19200300.100.1.1
tls-priorities = "NORMAL:%SERVER_PRECEDENCE"
device = vpns
ipv4-network = 10.5.0.0/24
config-per-user = {directory}/user
try-mtu-discovery = false
mtu = 1400
keepalive = 60
dpd = 60
max-clients = 0
max-same-clients = 0
rate-limit-ms = 0
max-ban-score = 0
cookie-timeout = 300
compression = false
log-level = 1
route-add-cmd = "ip route replace %{{RI}} dev %{{D}}"
route-del-cmd = "ip route del %{{RI}} dev %{{D}}"
"""
SCRIPT = """#!/bin/sh
[ "$reason" = connect ] || exit 0
ip addr add "$INTERNAL_IP4_ADDRESS/24" dev "$TUNDEV"
ip link set "$TUNDEV" mtu "${INTERNAL_IP4_MTU:-1400}"
exec %s "$TUNDEV"
"""


class Ocserv(Peer):
    port = 4443

    def start_server(self) -> None:
        self.write("user/master", "explicit-ipv4 = 10.5.0.2\n")
        alias = self.net.split("/")[0]
        self.write("user/onsite", f"explicit-ipv4 = 10.5.0.3\niroute = {alias}/255.255.255.0\n")
        keys = {"cert": self.pki["server.crt"], "key": self.pki["server.key"], "ca": self.pki["ca.crt"]}
        text = SERVER.format(port=self.port, address=RDV_ADDRESS, directory=self.directory, **keys)
        self.background("server", "server", "ocserv", "-f", "-c", self.write("ocserv.conf", text))
        self.wait_port("server", self.port)

    def start_onsite(self) -> None:
        self._start_client("onsite")
        self.wait_device("onsite")

    def start_master(self) -> None:
        self._start_client("master")

    def _start_client(self, part: str) -> None:
        script = self.write(f"script-{part}", SCRIPT % self.hook(part))
        (self.directory / f"script-{part}").chmod(0o755)
        keys = ("--cafile", self.pki["ca.crt"], "-c", self.pki[f"{part}.crt"], "-k", self.pki[f"{part}.key"])
        options = ("--no-dtls", "--non-inter", "--interface", self.device, "--script", script)
        self.background(part, part, "openconnect", *options, *keys, f"https://{RDV_ADDRESS}:{self.port}")
