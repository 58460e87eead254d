"""The plain path: the laptop reaches the camera through the same hosts as a session does, but routed and without a tunnel.

    laptop -- master -- router-a -- internet -- rdv -- internet -- router-b -- onsite -- camera, and back the same way

Both LANs are one subnet, so the camera has an alias that exists nowhere else. The onsite translates it, and both devices
masquerade, as they do in a session. All of it is laid beside the session and goes with the lab.
"""

from __future__ import annotations

from lab.host import Host
from lab.lab import Lab
from lab.process import until
from lab.topology import CAMERA, DEVICE_LAN, LAPTOP_PORT, RDV_ADDRESS, ROUTER_LAN

ALIAS = "10.99.1.50"
ALIAS_NET = "10.99.1.0/24"
ROUTER_A, ROUTER_B = "198.51.100.2", "198.51.100.6"
PERMIT_MARK = "0x52445600"  # libtunnel/net/ours.hpp: without it the master's guard would drop the laptop's packets
TO_SITE, TO_OFFICE = 7, 8  # routing tables of the internet

NFT_MASTER = f"""
table ip plain {{
  chain permit {{ type filter hook forward priority -20; policy accept;
    ip daddr {ALIAS} meta mark set {PERMIT_MARK}
    ip saddr {ALIAS} meta mark set {PERMIT_MARK}
  }}
  chain nat {{ type nat hook postrouting priority srcnat + 1; iifname "{LAPTOP_PORT}" oifname "eth0" masquerade; }}
}}
"""
NFT_ONSITE = f"""
table ip plain {{
  chain alias {{ type nat hook prerouting priority dstnat; ip daddr {ALIAS} dnat to {CAMERA}; }}
  chain nat {{ type nat hook postrouting priority srcnat + 1; iifname "eth0" oifname "eth0" masquerade; }}
}}
"""


def lay(lab: Lab) -> None:
    """Lays it. Before a session opens: the onsite's own set-up must find forwarding as it is to stay."""
    _forward_and_stay_silent(lab["rdv"])
    _forward_and_stay_silent(lab["master"])
    _forward_and_stay_silent(lab["onsite"])
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
    lab["master"].run("nft", "-f", "-", stdin=NFT_MASTER)
    lab["onsite"].run("nft", "-f", "-", stdin=NFT_ONSITE)


def wait(lab: Lab) -> None:
    """Returns when the camera answers on this path; the master lets nothing of the laptop pass before a session is open."""
    laptop = lab["laptop"]
    until(f"{ALIAS} on the plain path", lambda: laptop.run("ping", "-c1", "-W1", ALIAS, check=False).returncode == 0)


def _forward_and_stay_silent(host: Host) -> None:
    """It passes packets on, and does not tell the neighbour that there is a shorter way."""
    values = ("eth0.forwarding=1", "eth0.send_redirects=0", "all.send_redirects=0")
    host.run("sysctl", "-qw", *(f"net.ipv4.conf.{value}" for value in values))


def _ip(host: Host, *lines: str) -> None:
    host.run("ip", "-batch", "-", stdin="\n".join(lines))
