#!/usr/bin/env python3
"""Many sessions in one process, whose ends take nothing of what they are sent: onsites, masters, their data legs.

usage: sessions.py ADDRESS PORT <codes

Standard input has the enrolment codes of one session a line, its onsite's and its master's, up to an empty line. Enrols
and connects each, prints "N online", and does as it is told, one word a line, until standard input ends:

    open   opens the sessions and brings both directions of each out of TLS; answered by "N open"
    fill   both ends of all of them send until no socket takes any more; answered by "filled BYTES"

Exits 1 when a connection is lost. The server ends a relay that carries nothing for 60 s.
"""

from __future__ import annotations

import os
import selectors
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import rdv_client
from rdv_client import Connection, ProtocolError, bytes_field, fields, number_field

OPEN, OFFER, ACCEPT, GRANTED = 0x08, 0x0B, 0x0C, 0x0E
ATTACH, SWITCH = 0x30, 0x32
MODE_ROUTED = 3
LAN = "192.168.1.10/24"  # of all devices: without one there is nothing to reach
AT_ONCE = 8  # the server lets 16 of one address be half-way at a time
STUCK_S = 1.0  # nobody takes anything for so long: every buffer is full


def fixed64_field(number: int, value: int) -> bytes:
    return rdv_client.varint(number << 3 | 1) + value.to_bytes(8, "little")


@dataclass
class Device:
    name: str
    identity: Path
    control: Connection

    @classmethod
    def make(cls, address: tuple[str, int], code: str, identity: Path) -> Device:
        identity.mkdir()
        name = rdv_client.enroll(address, code, identity)
        control = Connection(address, "rdv-control/1", identity)
        rdv_client.hello(control, name, LAN)
        return cls(name, identity, control)

    def expect(self, wanted: int) -> dict[int, object]:
        while True:
            kind, payload = self.control.read()
            if kind == wanted:
                return fields(payload)
            if kind == rdv_client.PING:
                self.control.send(rdv_client.PONG, payload)
            else:
                raise ProtocolError(f"{self.name} got frame type {kind}: {fields(payload)}")


def open_session(master: Device, onsite: Device) -> tuple[int, int]:
    """Answers its number and epoch."""
    request = number_field(1, 1) + bytes_field(2, onsite.name) + number_field(3, MODE_ROUTED)
    master.control.send(OPEN, request + bytes_field(4, os.urandom(32)))
    session = onsite.expect(OFFER)[1]
    onsite.control.send(ACCEPT, fixed64_field(1, session) + bytes_field(2, os.urandom(32)))
    onsite.expect(GRANTED)
    grant = fields(master.expect(GRANTED)[2])
    return grant[2], grant[3]


class Leg:
    """A data leg; after leave_tls() its TCP connection is what the relay carries."""

    def __init__(self, address: tuple[str, int], device: Device, session: tuple[int, int]) -> None:
        self.connection = Connection(address, "rdv-data/1", device.identity)
        self.connection.send(ATTACH, fixed64_field(1, session[0]) + number_field(2, session[1]))

    def leave_tls(self) -> None:
        self.connection.send(SWITCH, b"")

    def wait_for_switch(self) -> None:
        """The last of the outer TLS: nobody reads it any more, and so no raw byte is taken for a record."""
        if (kind := self.connection.read()[0]) != SWITCH:
            raise ProtocolError(f"frame type {kind} instead of a Switch")
        self.socket = os.dup(self.connection.tls.fileno())
        os.set_blocking(self.socket, False)

    def send_some(self, data: bytes) -> int:
        try:
            return os.write(self.socket, data)
        except BlockingIOError:
            return 0


def make_legs(address: tuple[str, int], onsite: Device, master: Device) -> list[Leg]:
    session = open_session(master, onsite)
    legs = [Leg(address, device, session) for device in (master, onsite)]
    for leg in legs:
        leg.leave_tls()
    for leg in legs:
        leg.wait_for_switch()
    return legs


def fill(legs: list[Leg]) -> int:
    """Answers how many bytes they could send."""
    data, total, moved_at = bytes(1 << 18), 0, time.monotonic()
    while time.monotonic() - moved_at < STUCK_S:
        if sent := sum(leg.send_some(data) for leg in legs):
            total, moved_at = total + sent, time.monotonic()
        else:
            time.sleep(0.01)
    return total


def hold(address: tuple[str, int], devices: list[Device]) -> None:
    """Answers pings and does as it is told, until standard input ends."""
    legs: list[Leg] = []
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    for device in devices:
        selector.register(device.control.tls, selectors.EVENT_READ, device)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                next(rdv_client.answer_pings(key.data.control))
                continue
            match sys.stdin.readline():
                case "open\n":
                    legs = [leg for onsite, master in pairs(devices) for leg in make_legs(address, onsite, master)]
                    print(f"{len(legs) // 2} open", flush=True)
                case "fill\n":
                    print(f"filled {fill(legs)}", flush=True)
                case "":
                    return


def pairs(devices: list[Device]) -> Iterator[tuple[Device, Device]]:
    return zip(devices[::2], devices[1::2], strict=True)


def main() -> int:
    address = (sys.argv[1], int(sys.argv[2]))
    codes = [code for line in iter(lambda: sys.stdin.readline().split(), []) for code in line]
    try:
        with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(AT_ONCE) as pool:
            made = [pool.submit(Device.make, address, code, Path(root) / str(n)) for n, code in enumerate(codes)]
            devices = [one.result() for one in made]
            print(f"{len(devices)} online", flush=True)
            hold(address, devices)
    except (ProtocolError, OSError) as error:
        print(f"sessions: a connection was lost: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
