"""What goes wrong between a device and the server, done as it happens: by routers, firewalls and operators.

| fault | how | each end sees |
|---|---|---|
| fin | the router sets FIN on every packet of the leg (nft `tcp flags set`) | an orderly end of the stream |
| reset | the router answers every packet of the leg with RST (nft `reject with tcp reset`) | connection reset |
| kill_socket | `ss -K` in the device (needs CONFIG_INET_DIAG_DESTROY) | an aborted socket here, RST there |
| black_hole | the router drops all it should forward (Lab.cut) | silence |
| change_nat | the router forgets all connections, gives out other ports, drops what it does not know | silence or RST |
| new_address | the device's uplink gets another address, the old one goes | silence |

A leg is told from the control connection by its bytes: let data flow first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .host import Host
from .lab import Lab
from .process import COMES_S, LabError, run, until
from .topology import RDV_ADDRESS, RDV_PORT

TABLE = "fault"
NAT_PORTS = "20000-29999"  # none that a device takes itself (ip_local_port_range): a router keeps a port when it can


@dataclass(frozen=True)
class Flow:
    """One TCP connection of a device to the server."""

    port: int  # its own
    count_bytes: int  # in both directions


def flows(device: Host) -> list[Flow]:
    """Its established connections to the server, the one with the most bytes first."""
    said = device.run("ss", "-HtniO", "state", "established", "dport", "=", f":{RDV_PORT}").stdout
    found = []
    for line in said.splitlines():
        ends = re.search(rf":(\d+)\s+(?:\[::ffff:)?{re.escape(RDV_ADDRESS)}\]?:{RDV_PORT}", line)
        if not ends:
            continue
        counted = re.findall(r"\bbytes_(?:sent|received):(\d+)", line)
        found.append(Flow(int(ends[1]), sum(map(int, counted))))
    return sorted(found, key=lambda flow: -flow.count_bytes)


class Faults:
    """Faults of one lab. What they leave in a router is taken away by calm()."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    @staticmethod
    def router_of(device: str) -> str:
        """router-b2 of onsite2, router-a of master."""
        return device.replace("onsite", "router-b").replace("master", "router-a")

    def leg(self, device: str, bytes_min: int = 100_000, seconds: float = COMES_S) -> int:
        """The local port of its data leg, once so much went over it (its control connection never has as much)."""

        def busiest() -> int:
            found = flows(self.lab[device])
            return found[0].port if found and found[0].count_bytes >= bytes_min else 0

        return until(f"a data leg of {device}", busiest, seconds)

    def fin(self, device: str, port: int) -> None:
        self._at_router(device, port, "tcp flags & (fin|syn|rst) == 0x0 tcp flags set fin|psh|ack")

    def reset(self, device: str, port: int) -> None:
        self._at_router(device, port, "reject with tcp reset")

    def kill_socket(self, device: str, port: int) -> None:
        said = self.lab[device].run("ss", "-HKtn", "sport", "=", f":{port}").stdout
        if f":{port}" not in said:
            raise LabError(f"ss -K destroyed nothing on {device}")

    def black_hole(self, device: str) -> None:
        self.lab.cut(self.router_of(device))

    def mend(self, device: str) -> None:
        self.lab.mend(self.router_of(device))

    def change_nat(self, device: str) -> None:
        """As a router that was restarted, or whose line got another port range: no connection is known any more."""
        router = self.lab[self.router_of(device)]
        router.run("nft", "-f", "-", stdin=_NAT.format(table=TABLE, ports=NAT_PORTS))
        router.run("conntrack", "-F")

    def new_address(self, device: str, link: str, old: str, new: str, gateway: str, metric: int = 0) -> None:
        """As a DHCP server that gives another address: with prefix lengths; the default route stays by the gateway."""
        route = f"route replace default via {gateway} dev {link} metric {metric}"
        lines = f"addr del {old} dev {link}\naddr add {new} dev {link}\n{route}\n"
        run(["ip", "-n", self.lab[device].netns, "-force", "-batch", "-"], stdin=lines)

    def calm(self, device: str) -> None:
        """Its router does again as it did before. Twice is once."""
        self.mend(device)
        router = self.lab[self.router_of(device)]
        router.run("nft", f"add table inet {TABLE}; delete table inet {TABLE}")

    def _at_router(self, device: str, port: int, verdict: str) -> None:
        """Does it to the leg's packets of both directions, until calm(); the router's NAT does not change ports."""
        rules = _LEG.format(table=TABLE, address=RDV_ADDRESS, service=RDV_PORT, port=port, verdict=verdict)
        self.lab[self.router_of(device)].run("nft", "-f", "-", stdin=rules)


# In nft's words a chain may not be called "forward" or "fwd" without quotes; a `}` needs a line of its own.
_LEG = """
add table inet {table}
delete table inet {table}
table inet {table} {{
  chain legs {{
    type filter hook forward priority filter + 10;
    ip daddr {address} tcp dport {service} tcp sport {port} {verdict}
    ip saddr {address} tcp sport {service} tcp dport {port} {verdict}
  }}
}}
"""
_NAT = """
add table inet {table}
delete table inet {table}
table inet {table} {{
  chain unknown {{
    type filter hook input priority filter;
    iifname "wan0" meta l4proto tcp drop
  }}
  chain ports {{
    type nat hook postrouting priority srcnat - 1;
    meta nfproto ipv4 oifname "wan0" meta l4proto tcp masquerade to :{ports}
  }}
}}
"""
