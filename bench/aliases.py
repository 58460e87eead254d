"""Other names for the camera, one per way that leads to it beside a session of RDV.

Both LANs are one subnet, so the camera's own address means whatever a session makes of it. A way of number N has
10.99.N.0/24: whatever of it leaves the laptop takes that way, and the onsite translates 10.99.N.50 to the camera. Both
devices masquerade, as they do in a session. So any number of ways stands at once, and measurements can take turns.
"""

from __future__ import annotations

from lab.host import Host
from lab.lab import Lab
from lab.process import until
from lab.topology import CAMERA, LAPTOP_PORT

EVERY = "10.99.0.0/16"
PERMIT_MARK = "0x52445600"  # libtunnel/net/ours.hpp: without it the master's guard would drop the laptop's packets

NFT_MASTER = f"""
table ip ways {{
  chain permit {{ type filter hook forward priority -20; policy accept;
    ip daddr {EVERY} meta mark set {PERMIT_MARK}
    ip saddr {EVERY} meta mark set {PERMIT_MARK}
  }}
  chain nat {{ type nat hook postrouting priority srcnat + 1; iifname "{LAPTOP_PORT}" ip daddr {EVERY} masquerade; }}
}}
"""
NFT_ONSITE = f"""
table ip ways {{
  chain alias {{ type nat hook prerouting priority dstnat; ip daddr {EVERY} dnat to {CAMERA}; }}
  chain nat {{ type nat hook postrouting priority srcnat + 1; oifname "eth0" ct original ip daddr {EVERY} masquerade; }}
}}
"""


def net(number: int) -> str:
    return f"10.99.{number}.0/24"


def camera(number: int) -> str:
    return f"10.99.{number}.50"


def lay(lab: Lab) -> None:
    """Lays what all ways share. Before a session opens: the onsite's own set-up must find forwarding as it is to stay."""
    for host in ("rdv", "master", "onsite"):
        forward_and_stay_silent(lab[host])
    lab["rdv"].run("sysctl", "-qw", "net.ipv4.conf.default.forwarding=1")  # what a peer's server makes there, routes
    # Without it a way that is down would lead into the session, and be taken for one that is up.
    lab["master"].run("ip", "route", "add", "unreachable", EVERY, "table", "1")
    lab["master"].run("nft", "-f", "-", stdin=NFT_MASTER)
    lab["onsite"].run("nft", "-f", "-", stdin=NFT_ONSITE)


def wait(lab: Lab, target: str, seconds: float = 20) -> None:
    """Returns when the camera answers there; the master lets nothing of the laptop pass before a session is open."""
    laptop = lab["laptop"]
    until(f"{target} from the laptop", lambda: laptop.run("ping", "-c1", "-W1", target, check=False).returncode == 0, seconds)


def forward_and_stay_silent(host: Host) -> None:
    """It passes packets on, and does not tell the neighbour that there is a shorter way."""
    values = ("eth0.forwarding=1", "eth0.send_redirects=0", "all.send_redirects=0")
    host.run("sysctl", "-qw", *(f"net.ipv4.conf.{value}" for value in values))
