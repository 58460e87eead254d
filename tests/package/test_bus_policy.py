"""The policies as the packages install them, on the bus of a real machine: what tests/e2e/test_bus.py checks in the lab."""

from __future__ import annotations

import unittest
import xml.etree.ElementTree as tree

from world import world

from lab.host import POLICIES

PLACES = {"org.rdv.Server1": "server", "org.rdv.Device1": "master", "org.rdv.Netd1": "master"}
VALUES = {"s": "x", "t": "1", "b": "true", "as": "0", "ay": "0", "a{sv}": "0"}
# One shell for all calls: each prints the name of what was not denied.
DENIED = r"""
denied() {
  what=$1; shift
  said=$(setpriv --reuid=nobody --clear-groups busctl "$@" 2>&1) && echo "$what was answered"
  grep -qE 'Access denied|Rejected send message' <<<"$said" || echo "$what: $said"
}
"""


class AnUnprivilegedUser(unittest.TestCase):
    def test_is_denied_every_method_and_property(self) -> None:
        world().install()
        for interface, place in PLACES.items():
            object_ = f"{interface} /{interface.replace('.', '/')} {interface}"
            node = tree.parse(POLICIES / f"{interface}.xml").getroot().find("interface")
            lines = [f"denied {p.get('name')} get-property {object_} {p.get('name')}" for p in node.findall("property")]
            for method in node.findall("method"):
                types = [a.get("type") for a in method.findall("arg") if a.get("direction") == "in"]
                if "h" in types:  # busctl sends no descriptor; the policy does not look at arguments
                    types = []
                values = " ".join(VALUES[kind] for kind in types)
                lines.append(f"denied {method.get('name')} call {object_} {method.get('name')} '{''.join(types)}' {values}")
            said = world().machines[place].shell(DENIED + "\n".join(lines) + "\ntrue")
            self.assertEqual(said, "", interface)
