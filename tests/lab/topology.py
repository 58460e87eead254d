"""What the lab's network looks like: hosts, cables and addresses. Data only; network.py lays it.

    laptop --usb0-- master --eth0-- router-a --+                     +-- router-b --(bridge)--+-- onsite
    DHCP client   192.168.1.10        NAT      +---- internet -------+   NAT, lets out        |   192.168.1.10
                                                        |                only tcp/443         +-- camera
                                                       rdv 203.0.113.10                           192.168.1.50, proxy

The master's LAN and the customer's are both 192.168.1.0/24, on purpose. The topology `two` has all of it twice (laptop2,
master2, router-a2, router-b2, onsite2, camera2) around the same internet and server, with the very same addresses.

In the topology `uplinks` the onsite of `one` has two more ways to the internet, each behind a NAT router of its own:

    onsite --eth1--- router-c --- internet        a second cable, 10.1.0.2/24, default route of metric 200
           --wwan0-- router-d --- internet        stands for a mobile network, 10.64.0.2/24, metric 700
"""

from __future__ import annotations

from dataclasses import dataclass

RDV_ADDRESS = "203.0.113.10"
RDV_ADDRESS6 = "2001:db8:113::10"
RDV_PORT = 443
ROUTER_LAN = "192.168.1.1"
DEVICE_LAN = "192.168.1.10"  # of the master at home and of the onsite at the customer's
CAMERA = "192.168.1.50"  # also an address of router-a, so that what leaks finds somebody who answers
PROXY = "192.168.1.60"  # the host `proxy` on the first customer's LAN, where a test may start one (lab.proxy)
EXTREMITY = "192.168.38.225"  # the master, as the laptop sees it
LAPTOP_PORT = "usb0"

TOPOLOGIES = {"one": 1, "two": 2, "uplinks": 1}
FURTHER_UPLINKS = (("eth1", "router-c", "10.1.0", 200), ("wwan0", "router-d", "10.64.0", 700))  # link, router, /24, metric

# What a fresh Debian 12 sets (systemd's 50-default.conf); forwarding is off but on routers.
SYSCTL = {
    "net.ipv4.conf.all.forwarding": 0,
    "net.ipv4.conf.default.forwarding": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 2,
    "net.ipv6.conf.all.accept_ra": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.accept_dad": 0,
}
SYSCTL_ROUTER = {
    "net.ipv4.conf.all.forwarding": 1,
    "net.ipv4.conf.default.forwarding": 1,
    "net.ipv6.conf.all.forwarding": 1,
    "net.bridge.bridge-nf-call-iptables": 0,  # the customer's switch is no firewall; absent on most machines
    "net.bridge.bridge-nf-call-ip6tables": 0,
}

NFT_OFFICE_ROUTER = """
table inet lab {
  chain nat { type nat hook postrouting priority srcnat; meta nfproto ipv4 oifname "wan0" masquerade; }
  chain forward { type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan0" accept
  }
}
"""

NFT_CUSTOMER_ROUTER = """
table inet lab {
  counter stopped { }
  chain nat { type nat hook postrouting priority srcnat; meta nfproto ipv4 oifname "wan0" masquerade; }
  chain forward { type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "lan0" tcp dport 443 accept
    counter name stopped
  }
}
"""


@dataclass(frozen=True)
class End:
    """One end of a cable: a link of a host, with its addresses, or enslaved to a bridge of that host."""

    host: str
    link: str
    addresses: tuple[str, ...] = ()
    bridge: str = ""


@dataclass(frozen=True)
class Cable:
    """A veth pair."""

    a: End
    b: End


@dataclass(frozen=True)
class Bridge:
    """A bridge in a host: the customer's switch lives in the customer's router."""

    host: str
    link: str
    addresses: tuple[str, ...]


class Topology:
    """Hosts and what joins them, for `pairs` masters and as many sites."""

    def __init__(self, name: str) -> None:
        if name not in TOPOLOGIES:
            raise KeyError(f"no topology {name!r}; there are: {', '.join(TOPOLOGIES)}")
        self.name = name
        self.suffixes = ["" if n == 1 else str(n) for n in range(1, TOPOLOGIES[name] + 1)]
        self.hosts = ["internet", "rdv"]
        self.routers = ["internet"]
        self.cables = [
            Cable(
                End("rdv", "eth0", (f"{RDV_ADDRESS}/24", f"{RDV_ADDRESS6}/64")),
                End("internet", "rdv0", ("203.0.113.1/24", "2001:db8:113::1/64")),
            )
        ]
        self.bridges: list[Bridge] = []
        self.routes = {"rdv": ["default via 203.0.113.1", "default via 2001:db8:113::1"], "internet": []}
        self.nft: dict[str, str] = {}
        self.nameserver: dict[str, str] = {}
        for n, suffix in enumerate(self.suffixes):
            self._add_office(n, suffix)
            self._add_site(n, suffix)
        if name == "uplinks":
            for n, uplink in enumerate(FURTHER_UPLINKS, len(self.suffixes)):
                self._add_further_uplink(n, *uplink)

    @property
    def masters(self) -> list[str]:
        return [f"master{s}" for s in self.suffixes]

    @property
    def onsites(self) -> list[str]:
        return [f"onsite{s}" for s in self.suffixes]

    def uplink_of(self, host: str) -> Cable:
        """The cable between a host (a router, or rdv) and the internet: `a` is the host's end."""
        for cable in self.cables:
            if cable.a.host == host and cable.b.host == "internet":
                return cable
        there = ", ".join(c.a.host for c in self.cables if c.b.host == "internet")
        raise KeyError(f"no cable from {host!r} to the internet; there is one from: {there}")

    def _add_office(self, n: int, suffix: str) -> None:
        """The engineer's side: laptop, master, and the router of the LAN where the master hangs."""
        laptop, master, router = f"laptop{suffix}", f"master{suffix}", f"router-a{suffix}"
        lan6, wan6 = f"2001:db8:a{n}:1", f"2001:db8:a{n}"
        self.hosts += [laptop, master, router]
        self.cables.append(
            Cable(
                End(master, "eth0", (f"{DEVICE_LAN}/24", f"{lan6}::10/64")),
                End(router, "lan0", (f"{ROUTER_LAN}/24", f"{CAMERA}/24", f"{lan6}::1/64")),
            )
        )
        self.routes[master] = [f"default via {ROUTER_LAN}", f"default via {lan6}::1"]
        self.nft[router] = NFT_OFFICE_ROUTER
        self.nameserver[master] = ROUTER_LAN
        self.nameserver[laptop] = ""
        self._uplink(router, f"ra{n}", 8 * n, wan6, lan6)

    def _add_site(self, n: int, suffix: str) -> None:
        """The customer's side: onsite and camera on one switch, behind a strict router."""
        router, onsite, camera = f"router-b{suffix}", f"onsite{suffix}", f"camera{suffix}"
        lan6, wan6 = f"2001:db8:b{n}:1", f"2001:db8:b{n}"
        self.hosts += [router, onsite, camera]
        self.bridges.append(Bridge(router, "lan0", (f"{ROUTER_LAN}/24", f"{lan6}::1/64")))
        hosts = [(onsite, "port1", DEVICE_LAN), (camera, "port2", CAMERA)]
        if n == 0:
            self.hosts.append("proxy")
            self.nameserver["proxy"] = ROUTER_LAN
            hosts.append(("proxy", "port3", PROXY))
        for host, port, address in hosts:
            last = address.rsplit(".", 1)[1]
            self.cables.append(
                Cable(
                    End(host, "eth0", (f"{address}/24", f"{lan6}::{last}/64")),
                    End(router, port, bridge="lan0"),
                )
            )
            self.routes[host] = [f"default via {ROUTER_LAN}", f"default via {lan6}::1"]
        self.nft[router] = NFT_CUSTOMER_ROUTER
        self.nameserver[onsite] = ROUTER_LAN
        self._uplink(router, f"rb{n}", 8 * n + 4, wan6, lan6)

    def _add_further_uplink(self, n: int, link: str, router: str, net: str, metric: int) -> None:
        """Another way of the onsite to the internet; the one of its LAN has the metric 0."""
        self.hosts.append(router)
        self.cables.append(Cable(End("onsite", link, (f"{net}.2/24",)), End(router, "lan0", (f"{net}.1/24",))))
        self.routes["onsite"].append(f"default via {net}.1 metric {metric}")
        self.nft[router] = NFT_OFFICE_ROUTER
        wan6, lan6 = f"2001:db8:c{n}", f"2001:db8:c{n}:1"
        self._uplink(router, f"r{router[-1]}0", 64 + 4 * n, wan6, lan6)

    def _uplink(self, router: str, link: str, base: int, wan6: str, lan6: str) -> None:
        """Joins a router to the internet: 198.51.100.(base+1) there, (base+2) on the router."""
        there, here = f"198.51.100.{base + 1}", f"198.51.100.{base + 2}"
        self.routers.append(router)
        self.cables.append(
            Cable(
                End(router, "wan0", (f"{here}/30", f"{wan6}::2/64")),
                End("internet", link, (f"{there}/30", f"{wan6}::1/64")),
            )
        )
        self.routes[router] = [f"default via {there}", f"default via {wan6}::1"]
        self.routes["internet"].append(f"{lan6}::/64 via {wan6}::2")
