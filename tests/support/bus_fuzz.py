"""Calls every method and property of a D-Bus name with values at random, as the user who runs it.

usage: bus_fuzz.py INTERFACE SECONDS SEED DENIED|ALLOWED

The methods come from dbus/INTERFACE.xml. Half of the calls have the right types, half have others. Prints how many
answers of which kind came back, as JSON; fails when a DENIED caller got anything but AccessDenied.
"""

from __future__ import annotations

import json
import random
import sys
import time
import xml.etree.ElementTree as tree
from collections import Counter
from pathlib import Path

from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

CONTRACTS = Path(__file__).resolve().parents[2] / "dbus"
SIMPLE = "ybnqiuxtdsog"
BITS = {"y": (0, 8), "n": (1, 16), "q": (0, 16), "i": (1, 32), "u": (0, 32), "x": (1, 64), "t": (0, 64)}
# Nothing that names a device or session there is: who may call must not break the lab.
TEXTS = ["", "a", "-", "no-such-device", "x" * 32, "x" * 33, "y" * 5000, "\u00e9\u4e2d", "\n", "%s%n", "0.0.0.0/0", "nobody"]
KEYS = ["seconds", "mode", "wait", "interface", "forward", "role", "tunnel", "allow", "deny", "dns", "site", "system", "x"]
FILES = [open("/dev/null"), open("/proc/self/stat")]  # no TUN device
DENIED = "org.freedesktop.DBus.Error.AccessDenied"


class Values:
    """Values at random for a signature."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def signature(self, depth: int = 0) -> str:
        kind = self.random.choice("ssssvvaa(" + SIMPLE)
        if depth > 3 or kind not in "av(":
            return kind if kind in SIMPLE else "s"
        if kind == "v":
            return "v"
        if kind == "a":
            return "a" + self.random.choice([self.signature(depth + 1), "{sv}", "{ss}"])
        return "(" + "".join(self.signature(depth + 1) for _ in range(self.random.randint(1, 3))) + ")"

    def split(self, signature: str) -> list[str]:
        """The complete types that a signature consists of."""
        found: list[str] = []
        while signature:
            length = self._length(signature)
            found.append(signature[:length])
            signature = signature[length:]
        return found

    def _length(self, signature: str) -> int:
        if signature[0] == "a":
            return 1 + self._length(signature[1:])
        if signature[0] not in "({":
            return 1
        depth = 0
        for n, letter in enumerate(signature):
            depth += (letter in "({") - (letter in ")}")
            if depth == 0:
                return n + 1
        raise ValueError(signature)

    def value(self, kind: str, depth: int = 0):
        if kind in BITS:
            signed, bits = BITS[kind]
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            return self.random.choice([0, 1, low, high, self.random.randint(low, high)])
        if kind == "b":
            return self.random.random() < 0.5
        if kind == "d":
            return self.random.choice([0.0, -1.5, 1e308, float("inf"), float("nan")])
        if kind == "s":
            return self.random.choice(TEXTS)
        if kind == "o":
            return self.random.choice(["/", "/org/rdv/Device1", "/a/b"])
        if kind == "h":
            return self.random.choice(FILES)
        if kind == "g":
            return self.random.choice(["", "s", "a{sv}"])
        if kind == "v":
            inner = "s" if depth > 3 else self.signature(depth + 1)
            return inner, self.value(inner, depth + 1)
        if kind.startswith("a{"):
            types = self.split(kind[2:-1])
            keys = self.random.sample(KEYS, self.random.randint(0, 4))
            return {key: self.value(types[1], depth + 1) for key in keys}
        if kind.startswith("a"):
            return [self.value(kind[1:], depth + 1) for _ in range(self.random.choice([0, 1, 2, 300]) if depth < 2 else 1)]
        return tuple(self.value(part, depth + 1) for part in self.split(kind[1:-1]))


def targets(interface: str) -> list[tuple[str, str, str]]:
    """Interface, method, signature: of the contract, and of what every object has."""
    node = tree.parse(CONTRACTS / f"{interface}.xml").getroot().find("interface")
    found = [
        (interface, method.get("name"), "".join(a.get("type") for a in method.findall("arg") if a.get("direction") == "in"))
        for method in node.findall("method")
    ]
    properties = "org.freedesktop.DBus.Properties"
    found += [(properties, "Get", "ss"), (properties, "GetAll", "s"), (properties, "Set", "ssv")]
    return found + [("org.freedesktop.DBus.Introspectable", "Introspect", ""), ("org.freedesktop.DBus.Peer", "Ping", "")]


def main(interface: str, seconds: float, seed: str) -> Counter:
    values, methods, answers = Values(seed), targets(interface), Counter()
    bus = open_dbus_connection("SYSTEM", enable_fds=True)
    path = "/" + interface.replace(".", "/")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        owner, method, signature = values.random.choice(methods)
        if values.random.random() < 0.5:
            signature = "".join(values.signature() for _ in range(values.random.randint(0, 4)))
        where = path if values.random.random() < 0.9 else "/"
        body = tuple(values.value(kind) for kind in values.split(signature))
        call = new_method_call(DBusAddress(where, interface, owner), method, signature or None, body)
        answer = bus.send_and_get_reply(call, timeout=20)
        is_error = answer.header.message_type is MessageType.error
        answers[answer.header.fields[HeaderFields.error_name] if is_error else "answered"] += 1
    return answers


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    counts = main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
    print(json.dumps(counts))
    if sys.argv[4] == "DENIED" and set(counts) != {DENIED}:
        sys.exit(f"not everything was denied: {counts}")
