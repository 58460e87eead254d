"""What was on a wire: tcpdump in a host, and a reader of its file."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.host import Host
from lab.process import COMES_S, until

RECORD_TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}
RECORD_BYTES_MAX = 16384 + 256  # RFC 8446, 5.2


class Capture:
    """tcpdump on one link of a host, in a `with`; `file` has every packet once it is left."""

    def __init__(self, host: Host, link: str, expression: str = "") -> None:
        self.host, self.link, self.expression = host, link, expression
        self._directory = tempfile.TemporaryDirectory(prefix="rdvlab-")
        self.file = Path(self._directory.name) / "packets"

    def __enter__(self) -> Capture:
        # -U and --immediate-mode: what has passed is in the file at once, and nothing is lost at the end.
        self._process = self.host.popen(
            *("tcpdump", "-n", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-s", "0"),
            *("-i", self.link, "-w", self.file, *([self.expression] if self.expression else [])),
            stderr=(log := open(f"{self.file}.log", "wb")),
        )
        log.close()
        until("tcpdump", lambda: b"listening on" in Path(f"{self.file}.log").read_bytes(), every=0.005)
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(COMES_S)

    def packets(self, expression: str = "") -> list[str]:
        """The packets that match, one line each as tcpdump tells them."""
        argv = ["tcpdump", "-n", "-e", "-t", "-r", self.file, *([expression] if expression else [])]
        return self.host.run(*argv).stdout.splitlines()

    def bytes(self) -> bytes:
        return self.file.read_bytes()


@dataclass
class Stream:
    """One direction of one TCP connection."""

    first: int | None = None
    segments: dict[int, bytes] = field(default_factory=dict)

    def data(self) -> bytes:
        """Its bytes from the first on, as far as they are without a gap."""
        out = b""
        for offset in sorted(self.segments):
            if offset > len(out):
                break
            out = out[:offset] + self.segments[offset] if offset + len(self.segments[offset]) > len(out) else out
        return out


def tcp_streams(file: Path) -> dict[tuple, Stream]:
    """Every direction of every IPv4 TCP connection in a pcap file: (source, port, destination, port) -> Stream."""
    streams: dict[tuple, Stream] = {}
    for packet in _ipv4_packets(file):
        header = (packet[0] & 15) * 4
        if packet[9] != 6:
            continue
        total = struct.unpack_from(">H", packet, 2)[0] or len(packet)
        tcp = packet[header:total]
        source, destination = struct.unpack_from(">HH", tcp)
        sequence, flags = struct.unpack_from(">I", tcp, 4)[0], tcp[13]
        stream = streams.setdefault((packet[12:16], source, packet[16:20], destination), Stream())
        if flags & 2:  # SYN
            stream.first = (sequence + 1) & 0xFFFFFFFF
        payload = tcp[(tcp[12] >> 4) * 4 :]
        if payload and stream.first is not None:
            stream.segments.setdefault((sequence - stream.first) & 0xFFFFFFFF, payload)
    return streams


def _ipv4_packets(file: Path) -> Iterator[bytes]:
    data = file.read_bytes()
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        if frame[12:14] == b"\x08\x00":
            yield frame[14:]


def tls_record_types(data: bytes) -> list[str]:
    """The TLS records a stream consists of; ValueError where it is not TLS. A cut last record is left out."""
    types = []
    at = 0
    while at + 5 <= len(data):
        kind, version, length = struct.unpack_from(">BHH", data, at)
        if kind not in RECORD_TYPES or version not in (0x0301, 0x0303) or not 0 < length <= RECORD_BYTES_MAX:
            raise ValueError(f"no TLS record at byte {at}: {data[at:at + 16].hex()}")
        types.append(RECORD_TYPES[kind])
        at += 5 + length
    return types
