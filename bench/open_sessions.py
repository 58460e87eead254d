"""Opens sessions one after the other and says how long each took. Runs on the master, as an operator; stdlib only.

usage: python3 - ONSITE TIMES <open_sessions.py

Prints a JSON line per session: "process_ms" from the start of masterdev to its line "established" on standard output;
"open_ms" and "echo_ms" as the agent says them there. Exits 1 when a session does not open within SECONDS_MAX.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

SECONDS_MAX = 20


def lines(process: subprocess.Popen, deadline: float):
    """What it prints, line by line, with the time at which each line was there; ends at the deadline."""
    rest = b""
    while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data = os.read(process.stdout.fileno(), 65536)
        now = time.monotonic()
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield now, json.loads(line)


def open_one(onsite: str) -> dict:
    started = time.monotonic()
    process = subprocess.Popen(
        ["masterdev", "--json", "-o", onsite], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        for now, event in lines(process, started + SECONDS_MAX):
            if event.get("state") == "established":
                return {
                    "process_ms": (now - started) * 1000,
                    "open_ms": event["open_ms"],
                    "echo_ms": event["echo_ms"],
                }
        raise SystemExit(f"no session to {onsite} within {SECONDS_MAX} s")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


for _ in range(int(sys.argv[2])):
    print(json.dumps(open_one(sys.argv[1])), flush=True)
