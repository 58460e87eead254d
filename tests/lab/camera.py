#!/usr/bin/env python3
"""A customer's device: a web page on port 80 and a UDP echo on port 7. Stdlib only; runs in its own namespace.

usage: camera.py NAME

GET /            a page with NAME in its title
GET /bytes/N     N bytes (at most 64 MiB)
"""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BYTES_MAX = 64 << 20
PAGE = """<!doctype html>
<html><head><title>{name}: live picture</title></head>
<body><h1>{name}</h1><p>Boiler room, 71 degrees. You are {client}.</p></body></html>
"""


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""

    def do_GET(self) -> None:
        if self.path == "/":
            body = PAGE.format(name=self.name, client=self.client_address[0]).encode()
        elif self.path.startswith("/bytes/") and self.path[7:].isdigit():
            body = bytes(min(int(self.path[7:]), BYTES_MAX))
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def echo_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind(("0.0.0.0", 7))
        while True:
            data, peer = echo.recvfrom(65536)
            echo.sendto(data, peer)


def main() -> None:
    Page.name = sys.argv[1]
    threading.Thread(target=echo_udp, daemon=True).start()
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("0.0.0.0", 80), Page).serve_forever()


if __name__ == "__main__":
    main()
