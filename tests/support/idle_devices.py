#!/usr/bin/env python3
"""Many idle onsites in one process.

usage: idle_devices.py ADDRESS PORT <codes

Standard input has one enrolment code per line, up to an empty line. Enrols each, connects each, prints "N online"
and holds the connections (answering pings) until standard input ends. Exits 1 when one of them is lost.
"""

from __future__ import annotations

import selectors
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rdv_client
from rdv_client import Connection

AT_ONCE = 8  # the server lets 16 of one address be half-way at a time


def connect(address: tuple[str, int], code: str, directory: Path) -> Connection:
    directory.mkdir()
    name = rdv_client.enroll(address, code, directory)
    connection = Connection(address, "rdv-control/1", directory)
    rdv_client.hello(connection, name)
    return connection


def hold(connections: list[Connection]) -> int:
    """Answers pings until standard input ends."""
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    for connection in connections:
        selector.register(connection.tls, selectors.EVENT_READ, connection)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return 0
            next(rdv_client.answer_pings(key.data))


def main() -> int:
    address = (sys.argv[1], int(sys.argv[2]))
    codes = list(iter(lambda: sys.stdin.readline().strip(), ""))
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(AT_ONCE) as pool:
        made = [
            pool.submit(connect, address, code, Path(root) / str(n)) for n, code in enumerate(codes)
        ]
        connections = [one.result() for one in made]
    print(f"{len(connections)} online", flush=True)
    try:
        return hold(connections)
    except (rdv_client.ProtocolError, OSError) as error:
        print(f"idle_devices: a device was lost: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
