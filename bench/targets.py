"""The table of targets: what is wanted, what was measured, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .cells import table
from .links import PLACES
from .load import Case, cases
from .results import Results

TCP = ("down-1", "up-1", "down-4", "up-4")
UDP = ("udp-bulk-down", "udp-bulk-up")
IPERF = ("udp-down", "udp-up")


@dataclass(frozen=True)
class Target:
    """`keys`: (bench, case, subject, metric) of all that must reach it; the worst counts. `at_least`: or at most."""

    what: str
    wanted: float
    unit: str
    keys: tuple[tuple[str, str, str, str], ...]
    at_least: bool = False

    def row(self, results: Results) -> list[str] | None:
        found = [(figures["median"], key[1]) for key in self.keys if (figures := results.find(*key))]
        if not found:
            return None
        worst, case = min(found) if self.at_least else max(found)
        met = worst >= self.wanted if self.at_least else worst <= self.wanted
        sign, unit = ("≥" if self.at_least else "≤"), f" {self.unit}".rstrip()
        where = f" ({case})" if len(found) > 1 else ""
        return [self.what, f"{sign} {self.wanted:g}{unit}", f"{worst:.3g}{unit}{where}", "yes" if met else "**no**"]


def _throughput(subject: str, metric: str, which: Iterable[str] = TCP) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(("throughput", case, subject, metric) for case in which)


def _load(metric: str, wanted: Callable[[Case], bool]) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(("load", name, "rdv", metric) for name, case in cases().items() if wanted(case))


def _at(rate: int, thin: bool = False) -> Callable[[Case], bool]:
    return lambda case: case.rate_mbit == rate and case.thin == thin and case.place in PLACES.values()


TARGETS = (
    Target("TCP, rdv / OpenVPN over TCP in its best tuning", 8, "", _throughput("rdv/openvpn-tuned", "ratio"), True),
    Target("TCP, rdv / stunnel + ssh + vtun", 10, "", _throughput("rdv/oldstack", "ratio"), True),
    Target("TCP, rdv / ssh port forwarding", 1.8, "", _throughput("rdv/sshfwd", "ratio"), True),
    Target("UDP, 1 Gbit/s offered, rdv / OpenVPN", 3, "", _throughput("rdv/openvpn", "ratio", UDP), True),
    Target("UDP, 1 Gbit/s offered, rdv / OpenVPN, tuned", 3, "", _throughput("rdv/openvpn-tuned", "ratio", UDP), True),
    Target("the same with iperf3, which cannot offer as much here", 3, "", _throughput("rdv/openvpn", "ratio", IPERF), True),
    Target(
        *("relay as plain forwarder, CPU per GB, rdv / HAProxy with splice", 1.05, ""),
        tuple(("relay", case, "rdv/haproxy", "ratio-cpu") for case in ("down", "up")),
    ),
    Target("relay in a tunnel, CPU per GB", 0.6, "s", _throughput("rdv", "cpu-server")),
    Target("relay in a tunnel, CPU per GB, rdv / OpenVPN's server", 0.05, "", _throughput("rdv/openvpn", "ratio-cpu-server")),
    Target("agent, CPU per GB: master", 1.2, "s", _throughput("rdv", "cpu-master")),
    Target("agent, CPU per GB: onsite", 1.2, "s", _throughput("rdv", "cpu-onsite")),
    Target("ping of an idle laptop, added, p50", 0.25, "ms", (("latency", "idle", "rdv-plain", "p50"),)),
    Target("ping of an idle laptop, added, p99", 1, "ms", (("latency", "idle", "rdv-plain", "p99"),)),
    Target("10 Mbit/s under load, ping, added p50", 15, "ms", _load("ping-p50", _at(10))),
    Target("10 Mbit/s under load, ping, added p95", 35, "ms", _load("ping-p95", _at(10))),
    Target("10 Mbit/s under load, ssh key, added p50", 15, "ms", _load("key-p50", _at(10))),
    Target("10 Mbit/s under load, ssh key, added p95", 35, "ms", _load("key-p95", _at(10))),
    Target("10 Mbit/s under load, share of the link used", 90, "%", _load("used", _at(10)), True),
    Target("1 Mbit/s under load, ping, added p95", 120, "ms", _load("ping-p95", _at(1))),
    Target("1 Mbit/s under load, ssh key, added p95", 120, "ms", _load("key-p95", _at(1))),
    Target("thin flow beside 8 bulk flows, lost", 0, "%", _load("thin-lost", _at(10, True))),
    Target("thin flow beside 8 bulk flows, added p50", 15, "ms", _load("thin-p50", _at(10, True))),
    Target("thin flow beside 8 bulk flows, added p95", 35, "ms", _load("thin-p95", _at(10, True))),
    Target(
        *("loss 1 %, 150 ms, rdv / OpenVPN over TCP, tuned", 3, ""),
        tuple(("load", case, "rdv/openvpn-tuned", "ratio") for case in ("loss-down-150", "loss-up-150")),
        True,
    ),
    Target("session open, no delay", 60, "ms", (("open", "no-delay", "rdv", "process"),)),
    Target(
        *("session open, 100 ms round trip (6 of them + 60 ms)", 660, "ms"),
        tuple(("open", case, "rdv", "process") for case in ("rtt-100", "rtt-100-halves")),
    ),
    Target(
        *("memory of the relay for each session, beside sockets and pipes", 300, "KiB"),
        tuple(("memory", case, "rdv", "private") for case in ("session", "session-stuck")),
    ),
)


def targets(results: Results) -> str:
    rows = [row for target in TARGETS if (row := target.row(results))]
    return table(["median, the worst case where there are several", "wanted", "measured", "reached"], rows) if rows else ""
