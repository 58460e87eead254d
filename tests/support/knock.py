#!/usr/bin/env python3
"""Somebody who connects over and over, to find a moment at which nobody listens.

usage: knock.py ADDRESS PORT

Prints "go", and makes one connection after the other until standard input has a line or ends. Prints as JSON how many were
connected and how many refused, and how long the longest took.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

EVERY_S = 0.01


def main() -> None:
    address = (sys.argv[1], int(sys.argv[2]))
    counts = {"connected": 0, "refused": 0, "longest_ms": 0}
    print("go", flush=True)
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        begun = time.monotonic()
        try:
            socket.create_connection(address, 30).close()
            counts["connected"] += 1
        except ConnectionRefusedError:
            counts["refused"] += 1
        counts["longest_ms"] = max(counts["longest_ms"], round((time.monotonic() - begun) * 1000))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
