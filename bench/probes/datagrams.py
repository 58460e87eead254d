#!/usr/bin/env python3
"""Datagrams at a steady rate, sent many at a time (UDP_SEGMENT), so that who sends is not what is measured. Stdlib only.

usage: datagrams.py count PORT                               counts what comes, until standard input ends
       datagrams.py blast ADDRESS PORT MBIT BYTES SECONDS    sends to it
       datagrams.py pull ADDRESS PORT                        asks for them, counts what comes, until standard input ends
       datagrams.py serve PORT MBIT BYTES SECONDS            sends to who asks first

Who counts prints "ready" and at its end the bytes that came; who sends prints the bytes it sent.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
AT_ONCE_BYTES = 60000
BUFFER_BYTES = 4 << 20
ASK_S = 0.1


class Counter:
    def __init__(self, flow: socket.socket) -> None:
        self.bytes = 0
        flow.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        threading.Thread(target=self._run, args=(flow,), daemon=True).start()

    def _run(self, flow: socket.socket) -> None:
        room = bytearray(65536)
        while True:
            try:
                self.bytes += flow.recv_into(room)
            except ConnectionRefusedError:
                continue

    def until_asked(self) -> None:
        print("ready", flush=True)
        sys.stdin.read()
        print(self.bytes, flush=True)


def blast(flow: socket.socket, mbit: float, size: int, seconds: float) -> None:
    """To who is connected; what a full buffer does not take is not sent later."""
    flow.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    data = bytes(AT_ONCE_BYTES // size * size)
    gap = len(data) * 8 / (mbit * 1e6)
    begin, due, sent = time.monotonic(), 0.0, 0
    while due < seconds:
        if (wait := begin + due - time.monotonic()) > 0:
            time.sleep(wait)
        elif wait < -seconds:
            break  # hopelessly late
        try:
            sent += flow.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            pass
        due = max(due + gap, time.monotonic() - begin - 10 * gap)
    print(sent, flush=True)


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        match sys.argv[1:]:
            case ["count", port]:
                flow.bind(("", int(port)))
                Counter(flow).until_asked()
            case ["blast", address, port, mbit, size, seconds]:
                flow.connect((address, int(port)))
                blast(flow, float(mbit), int(size), float(seconds))
            case ["pull", address, port]:
                flow.connect((address, int(port)))
                counter = Counter(flow)

                def ask() -> None:
                    while not counter.bytes:
                        flow.send(b"?")
                        time.sleep(ASK_S)

                threading.Thread(target=ask, daemon=True).start()
                counter.until_asked()
            case ["serve", port, mbit, size, seconds]:
                flow.bind(("", int(port)))
                print("ready", flush=True)
                _, who = flow.recvfrom(16)
                flow.connect(who)
                blast(flow, float(mbit), int(size), float(seconds))


if __name__ == "__main__":
    main()
