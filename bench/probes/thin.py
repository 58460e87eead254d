#!/usr/bin/env python3
"""A thin flow: small datagrams at a steady pace to an echo. Stdlib only; runs on the laptop.

usage: thin.py ADDRESS PORT COUNT INTERVAL_S BYTES

Prints a JSON list: milliseconds until each datagram was back, null for those that were not within PATIENCE_S.
"""

from __future__ import annotations

import json
import socket
import sys
import time

PATIENCE_S = 5.0


def main() -> None:
    address, port, count, interval, size = sys.argv[1], *map(float, sys.argv[2:6])
    back: list[float | None] = [None] * int(count)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.connect((address, int(port)))
        begin, sent = time.monotonic(), 0
        while None in back:
            due = begin + sent * interval if sent < count else begin + count * interval + PATIENCE_S
            flow.settimeout(max(1e-4, due - time.monotonic()))
            try:
                number = int.from_bytes(flow.recv(2048)[:4], "big")
                back[number] = (time.monotonic() - begin - number * interval) * 1000
            except ConnectionRefusedError:
                continue
            except (TimeoutError, BlockingIOError):
                if sent == count:
                    break
                flow.send(sent.to_bytes(4, "big").ljust(int(size), b"."))
                sent += 1
    print(json.dumps(back))


if __name__ == "__main__":
    main()
