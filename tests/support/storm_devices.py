#!/usr/bin/env python3
"""Many idle onsites that lose the server together and come back, as docs/PROTOCOL.md, 5, wants it. Stdlib only.

usage: storm_devices.py HOST PORT SEED NETWORK <codes

Standard input has one enrolment code per line, up to an empty line. Enrols each, connects each from an address of its own
out of NETWORK (local addresses, e.g. 198.19.0.0/16), and prints "N online". From then on every lost connection is made
anew after a random delay. A line "back T" waits until each has got a Welcome after T (CLOCK_MONOTONIC, seconds), and is
answered by one of JSON with what was counted since the last one:

    last_s      from T to the last Welcome
    peak        connections begun within the busiest second
    refused     connections that nobody took: no handshake
    turned_away closed by the server before it had said a byte of TLS: no handshake, either
    wasted      TLS handshakes the server had begun, that did not come to a Welcome
    goodbyes    Goodbye of the server
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import socket
import ssl
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rdv_client

FIRST_S, CAP_S = 0.5, 30.0  # reconnect_first, reconnect_cap
CONNECT_S, WELCOME_S = 10.0, 10.0
PING_AFTER_S = 20.0
ENROL_AT_ONCE = 8  # the server lets 16 of one address be half-way at a time
RETRY_AFTER = 3  # the field of a Goodbye, in ms


class Tls:
    """TLS over a socket of an event loop; knows whether the other end has said anything at all."""

    def __init__(self, context: ssl.SSLContext, source: str) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self.heard = False

    async def connect(self, server: tuple[str, int]) -> None:
        await asyncio.get_running_loop().sock_connect(self.socket, server)

    async def _do(self, operation):
        loop = asyncio.get_running_loop()
        while True:
            try:
                answer = operation()
            except ssl.SSLWantReadError:
                answer = None
            if self._out.pending:
                await loop.sock_sendall(self.socket, self._out.read())
            if answer is not None:
                return answer
            if not (data := await loop.sock_recv(self.socket, 16384)):
                raise rdv_client.ProtocolError("the server closed the connection")
            self.heard = True
            self._in.write(data)

    async def handshake(self) -> None:
        await self._do(lambda: self._tls.do_handshake() or True)

    async def send(self, kind: int, payload: bytes) -> None:
        await self._do(lambda: self._tls.write(rdv_client.frame(kind, payload)))

    async def read(self) -> tuple[int, bytes]:
        header = await self._exactly(4)
        return header[0], await self._exactly(int.from_bytes(header[1:], "big"))

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await self._do(lambda: self._tls.read(count - len(data)))
            if not more:
                raise rdv_client.ProtocolError("the server closed the connection")
            data += more
        return data


class Fleet:
    """What all devices share: where the server is, and what was counted."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.counted: Counter[str] = Counter()
        self.begun: list[float] = []
        self.welcomed = asyncio.Event()  # pulsed at each Welcome

    def report(self, since: float, last: float) -> str:
        begun = sorted(when for when in self.begun if when >= since)
        first = peak = 0
        for at, when in enumerate(begun):
            while begun[first] < when - 1.0:
                first += 1
            peak = max(peak, at - first + 1)
        names = ("refused", "turned_away", "wasted", "goodbyes")
        line = json.dumps({"last_s": last - since, "peak": peak} | {name: self.counted[name] for name in names})
        self.counted.clear()
        self.begun.clear()
        return line


class Device:
    def __init__(self, fleet: Fleet, name: str, identity: Path, source: str, seed: str) -> None:
        self.fleet, self.name, self.source = fleet, name, source
        self.random = random.Random(seed)
        self.welcome_at = 0.0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols(["rdv-control/1"])
        self.context.load_cert_chain(identity / "device.pem", identity / "device.key")
        self.ceiling = FIRST_S
        self.at_least = 0.0

    async def live(self) -> None:
        """Connects, holds, and again: for ever."""
        while True:
            await self._once()
            await asyncio.sleep(self.random.uniform(0, self.ceiling) + self.at_least)
            self.ceiling, self.at_least = min(2 * self.ceiling, CAP_S), 0.0

    async def _once(self) -> None:
        tls = Tls(self.context, self.source)
        self.fleet.begun.append(time.monotonic())
        in_time = False
        try:
            await asyncio.wait_for(tls.connect(self.fleet.server), CONNECT_S)
            await asyncio.wait_for(self._introduce(tls), WELCOME_S)
            in_time = True
            self.ceiling = FIRST_S
            self.welcome_at = time.monotonic()
            self.fleet.welcomed.set()
            await self._hold(tls)
        except ConnectionRefusedError:
            self.fleet.counted["refused"] += 1
        except (OSError, ssl.SSLError, rdv_client.ProtocolError, asyncio.TimeoutError):
            if not in_time:
                self.fleet.counted["wasted" if tls.heard else "turned_away"] += 1
        finally:
            tls.socket.close()

    async def _introduce(self, tls: Tls) -> None:
        await tls.handshake()
        await tls.send(rdv_client.HELLO, rdv_client.hello_message(self.name))
        kind, payload = await tls.read()
        if kind == rdv_client.GOODBYE:
            self._on_goodbye(payload)
        if kind != rdv_client.WELCOME:
            raise rdv_client.ProtocolError(f"frame type {kind} instead of a Welcome")

    async def _hold(self, tls: Tls) -> None:
        reading = asyncio.ensure_future(tls.read())
        try:
            while True:
                done, _ = await asyncio.wait({reading}, timeout=PING_AFTER_S)
                if not done:
                    await tls.send(rdv_client.PING, rdv_client.number_field(1, 1))
                    continue
                kind, payload = reading.result()
                if kind == rdv_client.PING:
                    await tls.send(rdv_client.PONG, payload)
                if kind == rdv_client.GOODBYE:
                    self._on_goodbye(payload)
                reading = asyncio.ensure_future(tls.read())
        finally:
            reading.cancel()

    def _on_goodbye(self, payload: bytes) -> None:
        self.fleet.counted["goodbyes"] += 1
        self.at_least = rdv_client.fields(payload).get(RETRY_AFTER, 0) / 1000


def enrol_all(server: tuple[str, int], codes: list[str], root: Path) -> list[tuple[str, Path]]:
    def enrol(numbered: tuple[int, str]) -> tuple[str, Path]:
        directory = root / str(numbered[0])
        directory.mkdir()
        return rdv_client.enroll(server, numbered[1], directory), directory

    with ThreadPoolExecutor(ENROL_AT_ONCE) as pool:
        return list(pool.map(enrol, enumerate(codes)))


async def all_since(fleet: Fleet, devices: list[Device], since: float) -> float:
    """Returns when each has got a Welcome after `since`: the time of the last one."""
    while any(device.welcome_at <= since for device in devices):
        fleet.welcomed.clear()
        await fleet.welcomed.wait()
    return max(device.welcome_at for device in devices)


async def run(server: tuple[str, int], seed: str, sources: list[str], enrolled: list[tuple[str, Path]]) -> None:
    fleet = Fleet(server)
    devices = [
        Device(fleet, name, identity, sources[n % len(sources)], f"{seed} {n}") for n, (name, identity) in enumerate(enrolled)
    ]
    lives = [asyncio.ensure_future(device.live()) for device in devices]
    await all_since(fleet, devices, 0.0)
    print(f"{len(devices)} online", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        since = float(line.split()[1])
        print(fleet.report(since, await all_since(fleet, devices, since)), flush=True)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


def main() -> None:
    server = (sys.argv[1], int(sys.argv[2]))
    network = ipaddress.ip_network(sys.argv[4])
    codes = list(iter(lambda: sys.stdin.readline().strip(), ""))
    sources = [str(network[n + 1]) for n in range(min(len(codes), network.num_addresses - 2))]
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(run(server, sys.argv[3], sources, enrol_all(server, codes, Path(root))))


if __name__ == "__main__":
    main()
