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
QUESTION = struct.pack(">HH", 1, 1)  # an A record, Internet


def ask(name: str, link: str, seconds: float) -> str:
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", b"", b"", socket.if_nametoindex(link)))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + labels + QUESTION
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asker.sendto(question, GROUP)
        asker.settimeout(1)
        try:
            answer = asker.recv(1500)
        except TimeoutError:
            continue
        if struct.unpack(">H", answer[6:8])[0]:
            return socket.inet_ntoa(answer[-4:])  # its only record's data come last
    return ""


if __name__ == "__main__":
    found = ask(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    print(found)
    sys.exit(not found)
