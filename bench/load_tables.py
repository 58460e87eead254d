"""The tables of the benchmark `load`."""

from __future__ import annotations

from collections.abc import Callable

from .cells import cell, conditions, table
from .links import PLACES
from .load import Case, cases
from .results import Results

COLUMNS = (  # subject, probe, words
    ("rdv", "ping", "rdv: ping"),
    ("rdv", "key", "rdv: ssh key"),
    ("plain", "ping", "no tunnel: ping"),
    ("openvpn-tuned", "ping", "OpenVPN, tuned: ping"),
)
WORDS = {
    "onsite-up": "onsite's uplink",
    "onsite-down": "onsite's downlink",
    "master-up": "master's uplink",
    "master-down": "master's downlink",
}


def _title(case: Case) -> str:
    place = next(name for name, one in PLACES.items() if one == case.place)
    flows = "1 flow" if case.flows == 1 else f"{case.flows} flows"
    return f"{WORDS[place]}, {case.rtt_ms} ms, {flows}"


def _latency(results: Results, case: str, subject: str, probe: str) -> str:
    """What the load adds, in ms: "p50 / p95 (largest p95)", medians of the rounds."""
    p50, p95 = (results.find("load", case, subject, f"{probe}-{p}") for p in ("p50", "p95"))
    return f"{p50['median']:.0f} / {p95['median']:.0f} ({p95['max']:.0f})" if p50 and p95 else "-"


def _used(results: Results, case: str) -> str:
    """In per cent: "median (smallest)"."""
    figures = results.find("load", case, "rdv", "used")
    return f"{figures['median']:.0f} ({figures['min']:.0f})" if figures else "-"


def _matrix(results: Results, wanted: Callable[[Case], bool], what: str) -> str:
    named = {name: case for name, case in cases().items() if wanted(case) and results.find("load", name, "rdv", "used")}
    rows = [
        [_title(case), *(_latency(results, name, subject, probe) for subject, probe, _ in COLUMNS), _used(results, name)]
        for name, case in named.items()
    ]
    if not rows:
        return ""
    head = [what, *(words for *_, words in COLUMNS), "rdv uses of the link, %"]
    return conditions(results, "load", list(named)) + "\n\n" + table(head, rows)


def fast(results: Results) -> str:
    return _matrix(results, lambda case: case.rate_mbit == 10 and not case.thin, "10 Mbit/s, 1.25 MB FIFO")


def slow(results: Results) -> str:
    return _matrix(results, lambda case: case.rate_mbit == 1, "1 Mbit/s, 1.25 MB FIFO")


def thin(results: Results) -> str:
    rows = []
    for name, case in cases().items():
        for subject, words in (("rdv", "rdv"), ("plain", "no tunnel"), ("openvpn-tuned", "OpenVPN, tuned")):
            figures = [results.find("load", name, subject, f"thin-{metric}") for metric in ("lost", "p50", "p95")]
            if case.thin and all(figures):
                rows.append([f"{words}: {_title(case)}", *(cell(one, 2) for one in figures)])
    return table(["50 datagrams of 200 bytes a second", "lost, %", "added p50, ms", "added p95, ms"], rows) if rows else ""


def loss(results: Results) -> str:
    rows = []
    for subject, words in (("rdv", "rdv"), ("plain", "no tunnel"), ("openvpn", "OpenVPN"), ("openvpn-tuned", "OpenVPN, tuned")):
        row = [words]
        for case in ("loss-down-150", "loss-up-150"):
            row.append(cell(results.find("load", case, subject, "rate"), 2) or "-")
            row.append(cell(results.find("load", case, f"rdv/{subject}", "ratio"), 2) or "-")
        if any(value != "-" for value in row[1:]):
            rows.append(row)
    head = [f"{way}: {what}" for way in ("camera to laptop", "laptop to camera") for what in ("Mbit/s", "rdv/this")]
    return table(["1 % of all frames lost, 150 ms", *head], rows) if rows else ""


def summary_rows(results: Results) -> list[list[str]]:
    """For README.md: one bottleneck that many have."""
    case, rows = "onsite-up-10-40-1", []
    for subject, words in (("rdv", "rdv"), ("plain", "no tunnel"), ("openvpn-tuned", "OpenVPN, tuned")):
        figures = [results.find("load", case, subject, metric) for metric in ("ping-p50", "ping-p95")]
        if all(figures):
            title = f"ping added by a bulk transfer that fills a 10 Mbit/s uplink, p50, p95: {words}"
            rows.append([title, ", ".join(cell(one, 2, "ms") for one in figures)])
    return rows
