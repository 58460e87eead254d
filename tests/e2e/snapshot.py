"""Everything in a host's kernel that a session may change, to be compared before and after."""

from __future__ import annotations

import json
import re
from collections import Counter

from lab import network
from lab.host import Host
from lab.process import command_of, until

VOLATILE = {"valid_life_time", "preferred_life_time", "ifindex", "link_index", "link_netnsid", "expires", "stats", "stats64"}
COUNTERS = re.compile(r"packets \d+ bytes \d+")


def snapshot(host: Host) -> dict[str, object]:
    """Links, addresses, rules, routes, nft rules, sysctls and processes of one host, comparable with ==."""
    return {
        "links and addresses": _sorted(_ip(host, "-d", "addr")),
        "rules": _sorted(_ip(host, "rule") + _ip(host, "-6", "rule")),
        "routes": _sorted(_routes(host)),
        "nft": _tables(COUNTERS.sub("", host.run("nft", "list", "ruleset").stdout)),
        "sysctls": _sysctls(host),
        "processes": _processes(host),
    }


def settled_snapshot(host: Host) -> dict[str, object]:
    """One to compare others with: taken when the kernel has told of all its links, and nobody comes or goes."""

    def settled() -> dict[str, object] | None:
        if not _links_are_settled(host):
            return None
        running, seen = _processes(host), snapshot(host)
        return seen if seen["processes"] == running else None

    return until(f"{host.name} to settle", settled, every=0.05)


def _links_are_settled(host: Host) -> bool:
    """False while it is still to be told of a carrier (the kernel's linkwatch takes up to a second), or asks for a duplicate
    of an address."""
    for link in _ip(host, "addr"):
        has_carrier = "LOWER_UP" in link["flags"]
        if "UP" in link["flags"] and has_carrier != (link["operstate"] in ("UP", "UNKNOWN")):
            return False
        if any(address.get("tentative") for address in link["addr_info"]):
            return False
    return True


def differences(before: dict[str, object], after: dict[str, object]) -> str:
    """What is not as before, for a person; "" when nothing."""
    lines = []
    for kind, was in before.items():
        now = after[kind]
        if was == now:
            continue
        lines.append(f"{kind}:")
        was_lines, now_lines = Counter(_lines(was)), Counter(_lines(now))
        lines += [f"  gone: {line}" for line in (was_lines - now_lines).elements()]
        lines += [f"  left: {line}" for line in (now_lines - was_lines).elements()]
    return "\n".join(lines)


def _lines(value: object) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, dict):
        return [f"{key} = {item}" for key, item in value.items()]
    return [str(item) for item in value]


def _ip(host: Host, *argv: str) -> list[dict]:
    return json.loads(host.run("ip", "-j", *argv).stdout or "[]")


def _routes(host: Host) -> list[dict]:
    return _ip(host, "route", "show", "table", "all") + _ip(host, "-6", "route", "show", "table", "all")


def _tables(ruleset: str) -> str:
    """The tables in the order of their names: one that was made anew stands behind the others."""
    return "".join(sorted(re.split(r"^(?=table )", ruleset, flags=re.MULTILINE)))


def _without_volatile(value):
    if isinstance(value, dict):
        return {key: _without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_without_volatile(item) for item in value]
    return value


def _sorted(items: list[dict]) -> list[str]:
    return sorted(json.dumps(_without_volatile(item), sort_keys=True) for item in items)


def _sysctls(host: Host) -> dict[str, str]:
    said = host.run("sysctl", "-a", "-r", r"^net\.(ipv4\.(ip_forward|conf\.)|ipv6\.conf\.)", check=False).stdout
    return dict(line.split(" = ", 1) for line in said.splitlines() if " = " in line)


def _processes(host: Host) -> Counter[str]:
    """But for the logins by ssh, which end when they like."""
    running = map(_what_runs, network.processes([host.netns])[host.netns])
    return Counter(what for what in running if what and not what.startswith("sshd: "))


def _what_runs(pid: int) -> str:
    """Its command line without what differs from start to start; "" for one that is gone."""
    return re.sub(r"\b\d{3,}\b", "N", command_of(pid))
