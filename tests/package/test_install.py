"""INSTALL.md on three bare machines."""

from __future__ import annotations

import time
import unittest

from world import world


class TheGuide(unittest.TestCase):
    def test_its_blocks_as_they_stand_lead_to_the_first_ping(self) -> None:
        started = time.monotonic()
        world().install()
        place, lines, printed = world().said[-1]
        self.assertEqual(place, "laptop")
        self.assertIn("ping", lines)
        self.assertIn(" 0% packet loss", printed)
        print(f"       {len(world().said)} blocks in {time.monotonic() - started:.1f} s")
