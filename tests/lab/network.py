"""Lays the network of a topology: namespaces, cables, addresses, routes, NAT; and takes it away again."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .host import Host
from .process import command_of, end_all, run, until
from .topology import SYSCTL, SYSCTL_ROUTER, Topology


def lay(topology: Topology, hosts: dict[str, Host]) -> None:
    """Makes every host and joins them. Nothing of it may exist yet."""
    lines = [f"netns add {hosts[name].netns}" for name in topology.hosts]
    for cable in topology.cables:
        a, b = cable.a, cable.b
        lines.append(
            f"link add {a.link} netns {hosts[a.host].netns} type veth"
            f" peer name {b.link} netns {hosts[b.host].netns}"
        )
    _write_resolv_confs(topology, hosts)
    run(["ip", "-batch", "-"], stdin="\n".join(lines[: len(topology.hosts)]))
    # A link takes the defaults of its namespace when it is made: sysctls come before cables.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: _set_sysctls(hosts[name], name in topology.routers), topology.hosts))
        run(["ip", "-batch", "-"], stdin="\n".join(lines[len(topology.hosts) :]))
        list(pool.map(lambda name: _configure(topology, hosts[name]), topology.hosts))


def _write_resolv_confs(topology: Topology, hosts: dict[str, Host]) -> None:
    """ip-netns(8) shows these as /etc/resolv.conf to what runs in the namespace."""
    for name in topology.hosts:
        etc = hosts[name].etc
        etc.mkdir(parents=True, exist_ok=True)
        server = topology.nameserver.get(name, "")
        (etc / "resolv.conf").write_text(f"nameserver {server}\n" if server else "")


def _set_sysctls(host: Host, router: bool) -> None:
    values = SYSCTL | (SYSCTL_ROUTER if router else {})
    host.run("sysctl", "-qew", *(f"{key}={value}" for key, value in values.items()))


def _configure(topology: Topology, host: Host) -> None:
    lines = ["link set lo up"]
    for bridge in [b for b in topology.bridges if b.host == host.name]:
        lines.append(f"link add {bridge.link} type bridge forward_delay 0 mcast_snooping 0")
        lines += [f"addr add {address} dev {bridge.link}" for address in bridge.addresses]
        lines.append(f"link set {bridge.link} up")
    for end in [e for c in topology.cables for e in (c.a, c.b) if e.host == host.name]:
        lines += [f"addr add {address} dev {end.link}" for address in end.addresses]
        if end.bridge:
            lines.append(f"link set {end.link} master {end.bridge}")
        lines.append(f"link set {end.link} up")
    lines += [f"route add {route}" for route in topology.routes.get(host.name, [])]
    run(["ip", "-n", host.netns, "-batch", "-"], stdin="\n".join(lines))
    if rules := topology.nft.get(host.name):
        host.run("nft", "-f", "-", stdin=rules)


def wait_links(topology: Topology, hosts: dict[str, Host]) -> None:
    """Waits until every cable carries packets: the kernel may take a second after it was plugged in."""

    def all_up(host: Host) -> bool:
        links = run(["ip", "-n", host.netns, "-br", "link", "show", "type", "veth"]).stdout.splitlines()
        ours = {end.link for c in topology.cables for end in (c.a, c.b) if end.host == host.name}
        return all(line.split()[1] == "UP" for line in links if line.split("@")[0] in ours)

    for host in hosts.values():
        until(f"the links of {host.name}", lambda: all_up(host))


def namespaces(lab: str) -> list[str]:
    """The namespaces of this lab that exist now, whatever the topology."""
    try:
        return sorted(n for n in os.listdir("/run/netns") if n.startswith(f"{lab}-"))
    except FileNotFoundError:
        return []


def processes(netns: list[str]) -> dict[str, list[int]]:
    """What runs in these namespaces: one pass over /proc, so that a lab of 20 hosts is read at once."""
    inodes = {}
    for name in netns:
        try:
            inodes[os.stat(f"/run/netns/{name}").st_ino] = name
        except OSError:
            continue
    found: dict[str, list[int]] = {name: [] for name in netns}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            inode = os.stat(f"/proc/{pid}/ns/net").st_ino
        except OSError:
            continue  # gone meanwhile
        if name := inodes.get(inode):
            found[name].append(int(pid))
    return found


def take_away(lab: str) -> None:
    """Ends what runs in the lab's namespaces, and removes them and their files in /etc/netns."""
    names = namespaces(lab)
    end_all([pid for pids in processes(names).values() for pid in pids])
    if names:
        run(["ip", "-batch", "-"], stdin="\n".join(f"netns del {name}" for name in names))
    root = Path("/etc/netns")
    for directory in root.glob(f"{lab}-*"):
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()


def describe(pids: list[int]) -> list[str]:
    return [f"{pid:>8} {command_of(pid)}" for pid in sorted(pids)]
