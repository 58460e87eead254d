#!/usr/bin/env python3
"""Full mutual TLS 1.3 handshakes one after the other, in some processes. Stdlib and tests/support; runs in a host of the lab.

usage: handshakes.py rdv ADDRESS PORT WORKERS                 devices of rdv-server: to the Welcome of a control connection
       handshakes.py http ADDRESS PORT WORKERS CA.crt ID.pem  clients of an HTTP server: to its answer

`rdv` first reads enrolment codes from standard input, one per line up to an empty one, and enrols a device with each; they
take turns, so that none is there twice. Prints "ready". Then every line SECONDS on standard input is answered by the number
of handshakes done in that time. Exits 1 at the first that fails.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))

import rdv_client  # noqa: E402


def context_of(certificate: Path, key: Path | None, alpn: str = "") -> ssl.SSLContext:
    """The server's certificate is not checked: that would only cost the client time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate, key)
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


class Connection(rdv_client.Connection):
    """With a context that is there already."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self.tls = context.wrap_socket(dial(address))


def dial(address: tuple[str, int]) -> socket.socket:
    raw = socket.create_connection(address, timeout=10)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def welcome(address: tuple[str, int], context: ssl.SSLContext) -> None:
    connection = Connection(address, context)
    rdv_client.hello(connection, "bench")
    connection.close()


def page(address: tuple[str, int], context: ssl.SSLContext) -> None:
    with context.wrap_socket(dial(address)) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        if b" 200 " not in tls.recv(4096):
            raise SystemExit("handshakes: no answer 200")


def enrolled(address: tuple[str, int], root: Path) -> list[ssl.SSLContext]:
    contexts = []
    for number, code in enumerate(iter(lambda: sys.stdin.readline().strip(), "")):
        directory = root / str(number)
        directory.mkdir()
        rdv_client.enroll(address, code, directory)
        contexts.append(context_of(directory / "device.pem", directory / "device.key", "rdv-control/1"))
    return contexts


def work(one: Callable, address: tuple[str, int], contexts: list[ssl.SSLContext], until: float, done) -> None:
    count = 0
    while time.monotonic() < until:
        one(address, contexts[count % len(contexts)])
        count += 1
    done.put(count)


def main() -> None:
    kind, address, workers = sys.argv[1], (sys.argv[2], int(sys.argv[3])), int(sys.argv[4])
    fork = multiprocessing.get_context("fork")  # contexts cannot be sent to a process
    with tempfile.TemporaryDirectory() as root:
        if kind == "rdv":
            one, contexts = welcome, enrolled(address, Path(root))
        else:
            one, contexts = page, [context_of(Path(sys.argv[6]), None)] * workers
        print("ready", flush=True)
        for line in sys.stdin:
            done, until = fork.SimpleQueue(), time.monotonic() + float(line)
            crew = [
                fork.Process(target=work, args=(one, address, contexts[n::workers], until, done)) for n in range(workers)
            ]
            for worker in crew:
                worker.start()
            for worker in crew:
                worker.join()
            if any(worker.exitcode for worker in crew):
                raise SystemExit("handshakes: one failed")
            print(sum(done.get() for _ in crew), flush=True)


if __name__ == "__main__":
    main()
