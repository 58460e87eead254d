#!/usr/bin/env python3
"""Bulk TCP flows, and how much of them arrived when. Stdlib only; runs in a host of the lab.

usage: bulk.py listen PORT                   gives or takes, as each connection asks; runs until it is killed
       bulk.py pull|push ADDRESS PORT FLOWS  runs until its standard input ends

Every 100 ms who receives prints "SECONDS BYTES": CLOCK_MONOTONIC, and the bytes of all flows so far. All connections
end with a reset: nothing of what is still on its way is waited for.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time

CHUNK = 65536
EVERY_S = 0.1
GIVE, TAKE = b"g", b"t"  # the first byte of a connection: what the listener is to do
CONNECT_S = 30


class Received:
    def __init__(self) -> None:
        self.bytes = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.bytes += count

    def tell(self) -> None:
        while True:
            print(f"{time.monotonic():.3f} {self.bytes}", flush=True)
            time.sleep(EVERY_S)


def take(flow: socket.socket, received: Received) -> None:
    try:
        while data := flow.recv(CHUNK):
            received.add(len(data))
    except OSError:
        pass


def give(flow: socket.socket) -> None:
    data = bytes(CHUNK)
    try:
        while True:
            flow.sendall(data)
    except OSError:
        pass


def end_with_reset(flow: socket.socket) -> None:
    flow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve(flow: socket.socket, received: Received) -> None:
    end_with_reset(flow)
    with flow:
        match flow.recv(1):
            case b"g":
                give(flow)
            case b"t":
                take(flow, received)


def in_background(function, *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


def listen(port: int) -> None:
    received = Received()
    in_background(received.tell)
    with socket.create_server(("", port)) as listener:
        while True:
            flow, _ = listener.accept()
            in_background(serve, flow, received)


def dial(way: str, address: str, port: int, flows: int) -> None:
    received = Received()
    made = []
    for _ in range(flows):
        flow = socket.create_connection((address, port), CONNECT_S)
        flow.settimeout(None)
        end_with_reset(flow)
        flow.sendall(GIVE if way == "pull" else TAKE)
        made.append(flow)
    for flow in made:
        in_background(*((take, flow, received) if way == "pull" else (give, flow)))
    if way == "pull":
        in_background(received.tell)
    else:
        print("pushing", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(int(sys.argv[2]))
    else:
        dial(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
