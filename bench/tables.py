"""The tables of the documentation, as text: one function per table, "" when none of its figures are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from . import load_tables
from .cells import SUBJECTS, cell, conditions, median, table
from .results import Results
from .targets import targets

TCP = {
    "down-1": "camera to laptop, 1 stream",
    "up-1": "laptop to camera, 1 stream",
    "down-4": "camera to laptop, 4 streams",
    "up-4": "laptop to camera, 4 streams",
}
UDP = {"-down": "camera to laptop", "-up": "laptop to camera"}
PARTS = ("server", "master", "onsite")


def _by_subject(results: Results, cases: Iterable[str], subject: Callable[[str], str], metric: str) -> list[list[str]]:
    """A row per subject that has any of these figures, a column per case."""
    rows = []
    for name, words in SUBJECTS.items():
        row = [cell(results.find("throughput", case, subject(name), metric)) for case in cases]
        if any(row):
            rows.append([words, *(value or "-" for value in row)])
    return rows


def throughput(results: Results) -> str:
    cases = list(TCP)
    rates = _by_subject(results, cases, lambda name: name, "rate")
    ratios = _by_subject(results, cases, lambda name: f"rdv/{name}", "ratio")
    if not rates:
        return ""
    return "\n\n".join(
        [
            conditions(results, "throughput", cases),
            table(["TCP, Mbit/s", *TCP.values()], rates),
            table(["rdv is so many times as fast, pair by pair", *TCP.values()], ratios),
        ]
    )


def _udp(results: Results, prefix: str, what: str) -> str:
    rows = []
    for name, words in SUBJECTS.items():
        row = [words]
        for way in UDP:
            case = prefix + way
            row += [
                cell(results.find("throughput", case, name, "rate")),
                cell(results.find("throughput", case, name, "lost")),
                cell(results.find("throughput", case, f"rdv/{name}", "ratio")),
            ]
        if any(row[1:]):
            rows.append([value or "-" for value in row])
    head = [f"{words}: {one}" for words in UDP.values() for one in ("Mbit/s", "lost, %", "rdv/this")]
    return table([what, *head], rows) if rows else ""


def udp(results: Results) -> str:
    """Once from iperf3, once from a sender that costs nothing."""
    both = (
        _udp(results, "udp", "UDP, 1 Gbit/s offered, iperf3"),
        _udp(results, "udp-bulk", "UDP, 1 Gbit/s offered, many datagrams at a time"),
    )
    return "\n\n".join(filter(None, both))


def cpu(results: Results) -> str:
    rows = []
    for name, words in SUBJECTS.items():
        row = [words]
        for case in ("down-1", "up-1"):
            figures = [results.find("throughput", case, name, f"cpu-{part}") for part in PARTS]
            row.append(", ".join(median(one) for one in figures) if all(figures) else "")
        if any(row[1:]):
            rows.append([value or "-" for value in row])
    head = ["CPU s/GB: server, master, onsite", TCP["down-1"], TCP["up-1"]]
    return table(head, rows) if rows else ""


def latency(results: Results) -> str:
    rows = [
        [words, *(cell(results.find("latency", "idle", name, metric), 3) or "-" for metric in ("p50", "p99"))]
        for name, words in SUBJECTS.items()
        if results.find("latency", "idle", name, "p50")
    ]
    added = [cell(results.find("latency", "idle", "rdv-plain", metric), 3) or "-" for metric in ("p50", "p99")]
    if not rows:
        return ""
    rows.append(["**added by rdv to plain, pair by pair**", *added])
    return conditions(results, "latency", ["idle"]) + "\n\n" + table(["ping of an idle laptop, ms", "p50", "p99"], rows)


def opening(results: Results) -> str:
    cases = {
        "no-delay": "no delay",
        "rtt-100": "100 ms round trip, all of it at the onsite",
        "rtt-100-halves": "100 ms round trip, half at each device",
    }
    rows = [
        [words, *(cell(results.find("open", case, name, "process")) or "-" for case in cases)]
        for name, words in SUBJECTS.items()
        if results.find("open", "no-delay", name, "process")
    ]
    if not rows:
        return ""
    for metric, words in (("agent", "rdv, as the agent counts"), ("echo", "rdv, that first echo's round trip")):
        rows.append([words, *(cell(results.find("open", case, "rdv", metric)) or "-" for case in cases)])
    return conditions(results, "open", list(cases)) + "\n\n" + table(["open a session, ms", *cases.values()], rows)


def memory(results: Results) -> str:
    rows = []
    cases = {"idle-0": "no idle onsite, KiB", "idle-300": "300 idle onsites, KiB", "per-device": "each, KiB"}
    for case, words in cases.items():
        row = [cell(results.find("memory", case, "rdv", metric)) for metric in ("rss", "pss", "private")]
        if all(row):
            rows.append([words, *row])
    tables = [table(["rdv-server", "RSS", "PSS", "private"], rows)] if rows else []
    metrics = ("private", "kernel", "pipes")
    cases = {"session": "quiet", "session-stuck": "both ends send all they can and take nothing"}
    found = {words: [results.find("memory", case, "rdv", metric) for metric in metrics] for case, words in cases.items()}
    rows = [[words, *map(cell, figures)] for words, figures in found.items() if all(figures)]
    if rows:
        head = ["each of 50 sessions, KiB", "rdv-server, private", "its sockets, in the kernel", "its pipes, at most"]
        tables.append(table(head, rows))
    return "\n\n".join(tables)


def relay(results: Results) -> str:
    rows = []
    for case, words in (("down", "to who connected"), ("up", "from who connected")):
        for name in ("rdv", "haproxy", "haproxy-copy"):
            figures = [results.find("relay", case, name, metric) for metric in ("rate", "cpu")]
            ratio = results.find("relay", case, f"rdv/{name}", "ratio-cpu")
            if all(figures):
                rows.append([f"{SUBJECTS[name]}, {words}", *map(cell, figures), cell(ratio) or "-"])
    return table(["plain forwarder", "Mbit/s", "CPU s/GB", "rdv's CPU / this"], rows) if rows else ""


def handshake(results: Results) -> str:
    rows = []
    for name in ("rdv", "haproxy"):
        figures = [results.find("handshake", "full", name, metric) for metric in ("cpu", "rate")]
        if all(figures):
            rows.append([SUBJECTS.get(name, name), *(cell(one, 3) for one in figures)])
    head = ["full mutual TLS 1.3 handshakes", "server's CPU, ms each", "per second, clients on the same CPUs"]
    return table(head, rows) if rows else ""


def summary(results: Results) -> str:
    """The few rows of README.md."""
    wanted: Sequence[tuple[str, tuple[str, str, str, str], str, int]] = (
        ("TCP, 1 stream, camera → laptop", ("throughput", "down-1", "rdv", "rate"), "Mbit/s", 4),
        ("TCP, 1 stream, laptop → camera", ("throughput", "up-1", "rdv", "rate"), "Mbit/s", 4),
        ("… of the plain routed path (down)", ("throughput", "down-1", "rdv/plain", "ratio"), "", 2),
        ("… times OpenVPN over TCP, tuned (down)", ("throughput", "down-1", "rdv/openvpn-tuned", "ratio"), "", 2),
        ("… times stunnel + ssh + vtun (down)", ("throughput", "down-1", "rdv/oldstack", "ratio"), "", 2),
        ("… times ssh port forwarding (down)", ("throughput", "down-1", "rdv/sshfwd", "ratio"), "", 2),
        ("`masterdev -o` to the first echo through the whole path", ("open", "no-delay", "rdv", "process"), "ms", 3),
        ("the same with 100 ms of round trip", ("open", "rtt-100", "rdv", "process"), "ms", 3),
        ("ping added by the tunnel, p50", ("latency", "idle", "rdv-plain", "p50"), "ms", 2),
        ("ping added by the tunnel, p99", ("latency", "idle", "rdv-plain", "p99"), "ms", 2),
        ("server memory per idle onsite", ("memory", "per-device", "rdv", "rss"), "KiB", 3),
    )
    rows = []
    for words, key, unit, digits in wanted:
        if found := results.find(*key):
            rows.append([words, f"{cell(found, digits, unit)}"])
    rows += load_tables.summary_rows(results)
    return table(["median (smallest to largest)", ""], rows) if rows else ""


TABLES: dict[str, Callable[[Results], str]] = {
    "summary": summary,
    "targets": targets,
    "throughput": throughput,
    "udp": udp,
    "cpu": cpu,
    "latency": latency,
    "load-10": load_tables.fast,
    "load-1": load_tables.slow,
    "load-thin": load_tables.thin,
    "load-loss": load_tables.loss,
    "open": opening,
    "memory": memory,
    "relay": relay,
    "handshake": handshake,
}
