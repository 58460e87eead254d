"""A second, tiny implementation of a device's control side, written from docs/PROTOCOL.md. Stdlib only.

It speaks enrolment and Hello, as much as the tests need to have many devices, or one that misbehaves.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HELLO, WELCOME, PING, PONG, GOODBYE = 0x01, 0x02, 0x03, 0x04, 0x10
ENROLL, ENROLLED, ENROLL_REFUSED = 0x20, 0x21, 0x22
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class ProtocolError(Exception):
    """The server closed the connection, or answered with something else than was expected."""


# --- protobuf: the two wire types we send, and a reader of fields ---------------------------------------------------


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def bytes_field(number: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message: bytes) -> dict[int, object]:
    """The last value of every field by its number: int for numbers, bytes for the rest."""
    found: dict[int, object] = {}
    at = 0

    def read_varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = read_varint()
        match key & 7:
            case 0:
                found[key >> 3] = read_varint()
            case 1:
                found[key >> 3] = struct.unpack_from("<Q", message, at)[0]
                at += 8
            case 2:
                length = read_varint()
                found[key >> 3] = message[at : at + length]
                at += length
            case 5:
                found[key >> 3] = struct.unpack_from("<I", message, at)[0]
                at += 4
            case other:
                raise ProtocolError(f"protobuf wire type {other}")
    return found


# --- enrolment codes ----------------------------------------------------------------------------------------------


@dataclass
class Code:
    server: str
    fingerprint: bytes
    secret: bytes

    @classmethod
    def parse(cls, text: str) -> Code:
        digits = text.replace("-", "").upper().translate(str.maketrans(CROCKFORD, RFC4648))
        raw = base64.b32decode(digits + "=" * (-len(digits) % 8))
        body, crc = raw[:-4], int.from_bytes(raw[-4:], "big")
        if zlib.crc32(body) != crc:
            raise ProtocolError("the code is mistyped")
        return cls(body[33:].decode(), body[1:17], body[17:33])


# --- connections --------------------------------------------------------------------------------------------------


def frame(kind: int, payload: bytes) -> bytes:
    return bytes([kind]) + len(payload).to_bytes(3, "big") + payload


class Connection:
    """One TLS 1.3 connection that carries frames."""

    def __init__(self, address: tuple[str, int], alpn: str, identity: Path | None = None) -> None:
        """`identity`: a directory with device.pem and device.key; without it, server-authenticated only.

        The server's certificate is not checked: these are tests of the server.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        if identity:
            context.load_cert_chain(identity / "device.pem", identity / "device.key")
        raw = socket.create_connection(address, timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = context.wrap_socket(raw)
        except BaseException:
            raw.close()
            raise

    def send(self, kind: int, payload: bytes) -> None:
        self.tls.sendall(frame(kind, payload))

    def read(self) -> tuple[int, bytes]:
        header = self._read_exactly(4)
        return header[0], self._read_exactly(int.from_bytes(header[1:], "big"))

    def _read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not (more := self.tls.recv(count - len(data))):
                raise ProtocolError("the server closed the connection")
            data += more
        return data

    def close(self) -> None:
        self.tls.close()


def make_key_and_csr(directory: Path, name: str = "device") -> bytes:
    """A new P-256 key in directory/device.key; answers the CSR in DER."""
    csr = directory / "device.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-keyout", directory / "device.key", "-subj", f"/CN={name}", "-outform", "DER", "-out", csr],
        check=True,
        capture_output=True,
    )
    return csr.read_bytes()


def enroll(address: tuple[str, int], code: str, directory: Path) -> str:
    """Enrols as `tundev enroll` does and leaves device.pem and device.key in `directory`.

    Answers the name the certificate was issued for; ProtocolError with the server's sentence when it refuses.
    """
    csr = make_key_and_csr(directory)
    connection = Connection(address, "rdv-enroll/1")
    try:
        request = bytes_field(1, Code.parse(code).secret) + bytes_field(2, csr) + bytes_field(3, "test")
        connection.send(ENROLL, request)
        kind, payload = connection.read()
    finally:
        connection.close()
    answer = fields(payload)
    if kind != ENROLLED:
        raise ProtocolError(answer.get(3, b"").decode() or f"refused with code {answer.get(2)}")
    (directory / "device.pem").write_bytes(answer[1])
    return answer[6].decode()


def hello_message(hostname: str, lan: str = "") -> bytes:
    """The payload of a Hello, version 1; `lan`: the device's address there with its prefix length, as 192.0.2.1/24."""
    info = bytes_field(1, "rdv_client.py") + bytes_field(2, hostname) + number_field(5, 1)
    if lan:
        address, length = lan.split("/")
        info += bytes_field(3, varint(1 << 3 | 5) + socket.inet_aton(address)[::-1] + number_field(2, int(length)))
    return number_field(1, 1) + number_field(2, 1) + bytes_field(3, info)


def hello(connection: Connection, hostname: str, lan: str = "") -> dict[int, object]:
    """Says Hello and answers the fields of the Welcome."""
    connection.send(HELLO, hello_message(hostname, lan))
    kind, payload = connection.read()
    if kind != WELCOME:
        raise ProtocolError(f"{fields(payload).get(2, b'')!r} instead of a Welcome (frame type {kind})")
    return fields(payload)


def answer_pings(connection: Connection) -> Iterator[int]:
    """Answers what the server asks; gives the type of every frame. Ends with ProtocolError or OSError."""
    while True:
        kind, payload = connection.read()
        if kind == PING:
            connection.send(PONG, payload)
        yield kind
