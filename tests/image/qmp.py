"""What is told to a running emulator (QEMU Machine Protocol)."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from lab.process import LabError, until

ANSWER_SECONDS = 30.0


class Qmp:
    """One connection. Events that come in between are kept."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_SECONDS)
        until(f"the emulator's socket {path}", lambda: self._socket.connect_ex(str(path)) == 0, ANSWER_SECONDS)
        self._lines = self._socket.makefile("r")
        self._events: list[dict] = []
        self._next()  # its greeting
        self.do("qmp_capabilities")

    def _next(self) -> dict:
        line = self._lines.readline()
        if not line:
            raise LabError("the emulator has ended")
        return json.loads(line)

    def do(self, command: str, **arguments: object) -> dict:
        """A command's answer; its error is a LabError."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            said = self._next()
            if "event" in said:
                self._events.append(said)
            elif "error" in said:
                raise LabError(f"{command}: {said['error']['desc']}")
            else:
                return said["return"]

    def wait_event(self, name: str, seconds: float = ANSWER_SECONDS, **fields: object) -> None:
        """Waits for an event with these data, or takes one that has come already."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self._events:
                if event["event"] == name and fields.items() <= event.get("data", {}).items():
                    self._events.remove(event)
                    return
            if time.monotonic() > deadline:
                raise LabError(f"no {name} from the emulator within {seconds:g} s")
            self._events.append(self._next())

    def close(self) -> None:
        self._socket.close()


__all__ = ["Qmp"]
