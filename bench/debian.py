"""TCP as a fresh Debian 12 has it, in every host of the lab: the machine that measures may be tuned otherwise.

Its own default was BBR where these figures come from: a camera or laptop has CUBIC, which fills a queue until it drops.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.lab import Lab

CONGESTION = "cubic"
SETTINGS = {
    "net.ipv4.tcp_congestion_control": CONGESTION,
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
}
ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")  # the machine's; a namespace has only what is in it


@contextmanager
def allowed() -> Iterator[None]:
    """Namespaces may have CUBIC while this is open; afterwards the machine's list is as it was. One lab at a time."""
    with ALLOWED.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = ALLOWED.read_text()
        if CONGESTION in before.split():
            yield
            return
        ALLOWED.write_text(f"{before.strip()} {CONGESTION}")
        try:
            yield
        finally:
            ALLOWED.write_text(before)


def settle(lab: Lab) -> None:
    """Before the daemons start: a listening socket keeps what it had when it was made."""
    with allowed():
        for host in lab.hosts.values():
            host.run("sysctl", "-qw", *(f"{key}={value}" for key, value in SETTINGS.items()))
