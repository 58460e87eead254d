"""The plain path: from the laptop to the camera through the same hosts as a session, but routed and without a tunnel.

    laptop -- master -- router-a -- internet -- rdv -- internet -- router-b -- onsite -- camera, and back the same way

It is laid beside the session and goes with the lab.
"""

from __future__ import annotations

from lab.host import Host
from lab.lab import Lab
from lab.topology import DEVICE_LAN, RDV_ADDRESS, ROUTER_LAN

from . import aliases

NUMBER = 1
ALIAS = aliases.camera(NUMBER)
ALIAS_NET = aliases.net(NUMBER)
ROUTER_A, ROUTER_B = "198.51.100.2", "198.51.100.6"
TO_SITE, TO_OFFICE = 7, 8  # routing tables of the internet


def lay(lab: Lab) -> None:
    _ip(
        lab["internet"],
        f"route add {ALIAS_NET} via {RDV_ADDRESS}",
        f"rule add iif rdv0 to {ALIAS_NET} lookup {TO_SITE}",
        f"route add {ALIAS_NET} via {ROUTER_B} table {TO_SITE}",
        f"rule add iif rb0 to {ROUTER_A} lookup {TO_OFFICE}",
        f"route add {ROUTER_A} via {RDV_ADDRESS} table {TO_OFFICE}",
    )
    _ip(lab["router-b"], f"route add {ALIAS_NET} via {DEVICE_LAN}")
    lab["router-b"].run("nft", f"insert rule inet lab forward ip daddr {ALIAS_NET} accept")
    _ip(lab["master"], f"route add {ALIAS_NET} via {ROUTER_LAN} dev eth0 table 1")


def wait(lab: Lab) -> None:
    aliases.wait(lab, ALIAS)


def _ip(host: Host, *lines: str) -> None:
    host.run("ip", "-batch", "-", stdin="\n".join(lines))
