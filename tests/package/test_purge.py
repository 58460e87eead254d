"""What is left when the packages are purged: nothing."""

from __future__ import annotations

import unittest

import install_guide
from world import YES, world

# The whole file system but what runs and what apt keeps; users and groups stay, as Debian's policy wants.
LIST = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /root -o -path /var/cache \
  -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log \) -prune -o -print | grep -iE 'rdv|tundev|masterdev|onsitedev' || true
find /run -iname '*rdv*' -o -iname '*tundev*' | grep -v '^/run/host' || true
"""
KERNEL = "ip rule; ip route show table all; ip -br link"


class Purge(unittest.TestCase):
    def test_leaves_no_file_no_unit_no_name_on_the_bus_and_no_kernel_state(self) -> None:
        world().install()
        for block in install_guide.blocks(purge=True):
            for place in ("onsite", "master") if block.where == "device" else (block.where,):
                machine = world().machines[place]
                self.assertTrue(machine.shell(LIST).strip(), "the search finds nothing of what is installed")
                machine.shell(block.text, YES)
                self.assertEqual(machine.shell(LIST).strip(), "", place)
                units = machine.shell("systemctl list-units --all --plain --no-legend 'rdv-*' 'tundev-*'")
                self.assertEqual(units.strip(), "", place)
                self.assertNotIn("org.rdv", machine.shell("busctl list --acquired --activatable --no-pager"))
                self.assertNotRegex(machine.shell(KERNEL), r"\brdv\d|proto 200|(lookup|table) (1|52\d\d)\b")
                # The machine has no nft(8); its network namespace is the lab's.
                self.assertNotIn("rdv", world().lab[machine.name].run("nft", "list", "tables").stdout)
