"""What tables are made of."""

from __future__ import annotations

from collections.abc import Sequence

from .results import Results

SUBJECTS = {  # in the order of the tables
    "rdv": "**rdv**",
    "plain": "plain routed path",
    "openvpn": "OpenVPN, TCP",
    "openvpn-tuned": "OpenVPN, TCP, tuned",
    "oldstack": "stunnel + ssh + vtun",
    "sshfwd": "ssh port forwarding",
    "ocserv": "ocserv, TLS",
    "tinc": "tinc, TCP",
    "wireguard-go": "wireguard-go (UDP)",
    "haproxy": "HAProxy, splice",
    "haproxy-copy": "HAProxy, copy",
}


def _number(value: float, digits: int) -> str:
    """To so many digits that mean something; whole numbers are not cut."""
    if abs(value) >= 10 ** (digits - 1):
        return str(round(value))
    return f"{value:#.{digits}g}".rstrip(".")


def median(figures: dict, digits: int = 3) -> str:
    return _number(figures["median"], digits)


def cell(figures: dict | None, digits: int = 3, unit: str = "") -> str:
    """ "median unit (smallest to largest)"; "" without figures."""
    if figures is None:
        return ""
    low, high = _number(figures["min"], digits), _number(figures["max"], digits)
    return f"{median(figures, digits)}{unit and ' ' + unit} ({low} to {high})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(results: Results, bench: str, cases: Sequence[str]) -> str:
    """One sentence: what was measured, on what, and how calm the machine was."""
    lines = [one for case in cases for one in results.select(bench, case=case)]
    if not lines:
        return ""
    rounds = max(one["n"] for one in lines if one["subject"] != "rdv")
    busy = max((one.get("busy_before", 0.0) for one in lines), default=0.0)
    versions = ", ".join(sorted({one["version"] for one in lines}))
    return (
        f"Commit {versions}; {lines[0]['cpu']}, Linux {lines[0]['kernel']}; {rounds} rounds;"
        f" others used at most {busy:.0%} of the CPUs just before."
    )
