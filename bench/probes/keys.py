#!/usr/bin/env python3
"""Somebody types over ssh: how long until each key's echo is there. Stdlib only; runs on the laptop.

usage: keys.py SSH_OPTION... HOST

A real ssh with a terminal at the far end, whose line discipline echoes. Prints "ready" when it is logged in. Then every
line "COUNT INTERVAL_S" on standard input types so many keys, one every INTERVAL_S whatever the echoes do, and is answered
by a line with a JSON list: milliseconds until each echo, null for those that never came. Ends with standard input.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time

REMOTE = "stty -icanon; echo ready; exec cat >/dev/null"  # not icanon: a line would end after 4096 keys
LOGIN_S = 40
PATIENCE_S = 10  # for echoes behind the last key


def read(ssh: subprocess.Popen, until: float) -> bytes:
    """What came, b"" when it is `until`; SystemExit when ssh ended."""
    if not select.select([ssh.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        return b""
    data = os.read(ssh.stdout.fileno(), 4096)
    if not data:
        raise SystemExit("keys: ssh has ended")
    return data


def log_in(ssh: subprocess.Popen) -> None:
    said, until = b"", time.monotonic() + LOGIN_S
    while b"ready" not in said:
        data = read(ssh, until)
        if not data:
            raise SystemExit(f"keys: no login within {LOGIN_S} s: {said!r}")
        said += data
    while read(ssh, time.monotonic() + 0.3):  # the end of that line
        pass


def type_keys(ssh: subprocess.Popen, count: int, interval_s: float) -> list[float | None]:
    """Echoes come in order: the n-th is that of the n-th key."""
    typed: list[float] = []
    echoed: list[float] = []
    begin = time.monotonic()
    while len(echoed) < count:
        due = begin + len(typed) * interval_s if len(typed) < count else typed[-1] + PATIENCE_S
        data = read(ssh, due)
        now = time.monotonic()
        echoed += [now] * data.count(b"x")
        if not data and len(typed) == count:
            break
        if not data:
            os.write(ssh.stdin.fileno(), b"x")
            typed.append(now)
    took = [(echo - key) * 1000 for key, echo in zip(typed, echoed)]
    return [*took, *[None] * (count - len(took))]


def main() -> None:
    ssh = subprocess.Popen(["ssh", "-tt", *sys.argv[1:], REMOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        log_in(ssh)
        print("ready", flush=True)
        for line in sys.stdin:
            count, interval = line.split()
            print(json.dumps(type_keys(ssh, int(count), float(interval))), flush=True)
    finally:
        ssh.kill()
        ssh.wait()


if __name__ == "__main__":
    main()
