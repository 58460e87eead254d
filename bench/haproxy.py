"""HAProxy on the server's host, beside rdv-server: a forwarder of TCP, and a server of mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.lab import Lab
from lab.process import Background, until
from lab.topology import RDV_ADDRESS

from .peers.pki import Pki

SPLICE = "option splice-auto\n  option splice-request\n  option splice-response"
GLOBAL = """global
  nbthread 1
  maxconn 4000
  tune.pipesize 1048576
defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
"""
FORWARD = """frontend f
  mode tcp
  {splice}
  bind {address}:{port}
  default_backend b
backend b
  mode tcp
  {splice}
  server s {target}
"""
TLS = """frontend f
  mode http
  bind {address}:{port} ssl crt {pem} ca-file {ca} verify required ssl-min-ver TLSv1.3 no-tls-tickets
  http-request return status 200
"""


@contextmanager
def _running(lab: Lab, name: str, config: str, port: int) -> Iterator[Background]:
    path = lab.root / f"{name}.cfg"
    path.write_text(GLOBAL + config)
    host = lab["rdv"]
    program = host.start(name, "haproxy", "-db", "-f", path)
    try:
        until(f"{name} on port {port}", lambda: host.listens(port))
        yield program
    finally:
        program.stop()


@contextmanager
def forwarder(lab: Lab, name: str, port: int, target: str, splice: bool) -> Iterator[Background]:
    """One process, one thread, as rdv-server's relay runs on one."""
    text = FORWARD.format(address=RDV_ADDRESS, port=port, target=target, splice=SPLICE if splice else "")
    with _running(lab, name, text, port) as program:
        yield program


@contextmanager
def tls_server(lab: Lab, pki: Pki, port: int) -> Iterator[Background]:
    """Asks for a client's certificate and answers every request with 200."""
    text = TLS.format(address=RDV_ADDRESS, port=port, pem=pki["server.pem"], ca=pki["ca.crt"])
    with _running(lab, "haproxy-tls", text, port) as program:
        yield program
