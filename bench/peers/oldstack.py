"""The stack RDV takes the place of: stunnel to the server, in it ssh, in it a port forward, in it vtun.

The server routes between its two vtun devices with a routing table each, and masquerades towards the onsite. stunnel and
ssh both encrypt, vtun neither encrypts nor compresses. Not counted when a session opens: the old stack's own script,
which typed at a shell.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.topology import RDV_ADDRESS

from . import sshd
from .peer import Peer

SSHD_PORT = 2223
FORWARD_PORT = 5000  # on both devices
VTUN_PORT = {"master": 5001, "onsite": 5002}  # on the server
TABLE = {"master": 41, "onsite": 42}  # on the server: where what comes from there goes
LOCKS = Path("/var/lock/vtund")  # vtund would not start without it
PID_FILE = Path("/run/vtund.server.pid")  # its servers', whatever they are told

STUNNEL_SERVER = """foreground = yes
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[ssh]
accept = {address}:{port}
connect = 127.0.0.1:{sshd}
cert = {cert}
key = {key}
"""
STUNNEL_CLIENT = """foreground = yes
pid =
debug = 3
client = yes
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[ssh]
accept = 127.0.0.1:{sshd}
connect = {address}:{port}
verifyChain = yes
CAfile = {ca}
"""
# vtund's lexer is greedy on quotes: one command per line.
VTUN_SERVER = """options {{ port {port}; bindaddr {{ addr 127.0.0.1; }}; ip /sbin/ip; syslog daemon; timeout 60; }}
default {{ compress no; encrypt no; speed 0; }}
{name} {{ passwd lab; type tun; proto tcp; keepalive yes; device {device}; multi killold;
  up {{
    ip "link set %% up mtu 1500 txqueuelen 500";
    ip "addr add {own} peer {peer} dev %%";
    ip "route replace default dev %% table {table}";
  }};
}}
"""
VTUN_CLIENT = """options {{ port {port}; ip /sbin/ip; timeout 60; }}
default {{ compress no; encrypt no; speed 0; }}
{name} {{ passwd lab; type tun; proto tcp; keepalive yes; persist yes; device {device};
  up {{
    ip "link set %% up mtu 1500";
    ip "addr add {own} peer {peer} dev %%";
    program {hook} "%%";
  }};
}}
"""

MASQUERADE = """table ip oldstack {
  chain post { type nat hook postrouting priority 100; oifname "vt-onsite" masquerade; }
}"""


class OldStack(Peer):
    port = 4433
    _made_locks = False

    def start_server(self) -> None:
        self._made_locks = not LOCKS.exists()
        LOCKS.mkdir(parents=True, exist_ok=True)
        sshd.start(self, "127.0.0.1", SSHD_PORT)
        text = STUNNEL_SERVER.format(
            address=RDV_ADDRESS, port=self.port, sshd=SSHD_PORT, cert=self.pki["server.crt"], key=self.pki["server.key"]
        )
        self.background("server", "stunnel", "stunnel4", self.write("stunnel-server.conf", text))
        for part, other in (("master", "onsite"), ("onsite", "master")):
            own, peer = self._addresses(part)
            text = VTUN_SERVER.format(
                port=VTUN_PORT[part], name=part, device=f"vt-{part}", own=own, peer=peer, table=TABLE[other]
            )
            config = self.write(f"vtund-{part}.conf", text)
            self.background("server", f"vtund-{part}", "vtund", "-n", "-s", "-f", config, "-P", VTUN_PORT[part])
            self.host("server").run("ip", "rule", "add", "iif", f"vt-{part}", "lookup", TABLE[part])
            self.wait_port("server", VTUN_PORT[part])
        self.host("server").run("nft", "-f", "-", stdin=MASQUERADE)
        self.wait_port("server", self.port)

    def start_onsite(self) -> None:
        """The onsite waits on its ssh; its vtun starts with the first session."""
        self._dial("onsite")

    def start_master(self) -> None:
        if len(self.parts["onsite"]) == 2:
            self._vtun("onsite")
        self._dial("master")
        self._vtun("master")

    def _dial(self, part: str) -> None:
        text = STUNNEL_CLIENT.format(address=RDV_ADDRESS, port=self.port, sshd=SSHD_PORT, ca=self.pki["ca.crt"])
        self.background(part, "stunnel", "stunnel4", self.write(f"stunnel-{part}.conf", text))
        self.wait_port(part, SSHD_PORT)
        way = f"127.0.0.1:{FORWARD_PORT}:127.0.0.1:{VTUN_PORT[part]}"
        self.background(part, "ssh", *sshd.client(self, "127.0.0.1", SSHD_PORT, "-L", way))
        self.wait_port(part, FORWARD_PORT)

    def _vtun(self, part: str) -> None:
        peer, own = self._addresses(part)
        text = VTUN_CLIENT.format(
            port=FORWARD_PORT, name=part, device=self.device, own=own, peer=peer, hook=self.hook(part)
        )
        self.background(part, "vtund", "vtund", "-n", "-f", self.write(f"vtun-{part}.conf", text), part, "127.0.0.1")

    def stop_master(self) -> None:
        """The onsite's vtun ends with the session."""
        super().stop_master()
        for program in self.parts["onsite"][2:]:
            program.stop()
        del self.parts["onsite"][2:]

    def clean_up(self) -> None:
        if self._made_locks:  # nobody else's vtund runs here
            PID_FILE.unlink(missing_ok=True)
            shutil.rmtree(LOCKS, ignore_errors=True)

    @staticmethod
    def _addresses(part: str) -> tuple[str, str]:
        """Of the vtun pair: the server's, the device's."""
        number = {"master": 1, "onsite": 2}[part]
        return f"10.33.{number}.1", f"10.33.{number}.2"
