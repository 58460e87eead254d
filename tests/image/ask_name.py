#!/usr/bin/env python3
"""Asks the local network who has a name (RFC 6762), as a laptop without a name server does.

usage: ask_name.py NAME LINK SECONDS    Prints the IPv4 address; exit 1 when nobody has answered.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

GROUP = ("224.0.0.251", 5353)
HEADER = struct.Struct(">6H")
QUESTION = struct.Struct(">HH")  # type, class
RECORD = struct.Struct(">HHIH")  # type, class, time to live, length
A, INTERNET = 1, 1
CACHE_FLUSH = 0x8000  # in the class: this record stands alone


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name that begins there, small, and where what follows it begins (RFC 1035, 4.1.4)."""
    labels, end = [], 0
    for _ in range(len(message)):
        length = message[at]
        if length >= 0xC0:  # the rest stands elsewhere
            end = end or at + 2
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
            continue
        at += 1
        if not length:
            return ".".join(labels).lower(), end or at
        labels.append(message[at : at + length].decode())
        at += length
    raise ValueError("a name without an end")


def address_in(message: bytes, name: str) -> str:
    """What an answer says of this name's IPv4 address; "": nothing."""
    _, _, questions, answers, _, _ = HEADER.unpack_from(message)
    at = HEADER.size
    for _ in range(questions):
        at = read_name(message, at)[1] + QUESTION.size
    for _ in range(answers):
        owner, at = read_name(message, at)
        kind, group, _, length = RECORD.unpack_from(message, at)
        at += RECORD.size
        if (owner, kind, group & ~CACHE_FLUSH, length) == (name.lower(), A, INTERNET, 4):
            return socket.inet_ntoa(message[at : at + 4])
        at += length
    return ""


def ask(name: str, link: str, seconds: float) -> str:
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", b"", b"", socket.if_nametoindex(link)))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = HEADER.pack(1, 0, 1, 0, 0, 0) + labels + QUESTION.pack(A, INTERNET)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asker.sendto(question, GROUP)
        asker.settimeout(1)
        try:
            if address := address_in(asker.recv(9000), name):
                return address
        except TimeoutError:
            continue
    return ""


if __name__ == "__main__":
    found = ask(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    print(found)
    sys.exit(not found)
