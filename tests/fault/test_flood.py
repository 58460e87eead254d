"""Strangers that open connections and say nothing: a device still gets in, and the server's memory has a bound."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import rdv_client
from fault_case import FaultCase, tell
from resources import held

from lab.process import COMES_S, until
from lab.topology import RDV_ADDRESS, RDV_PORT

HALF_OPEN = 2000
SOURCES = ("198.18.0.1", "198.18.0.2", "198.18.0.3")
TRIES = 3
DEVICE_S_MAX = 3.0
RSS_KB_MAX = 16 * 1024  # more than before


class AFlood(FaultCase):
    def setUp(self) -> None:
        super().setUp()
        internet = self.lab["internet"]
        for address in SOURCES:
            internet.run("ip", "addr", "replace", f"{address}/32", "dev", "lo")
            self.addCleanup(internet.run, "ip", "addr", "del", f"{address}/32", "dev", "lo", check=False)

    def flood(self) -> subprocess.Popen:
        flood = self.lab["internet"].popen(
            *("python3", Path(rdv_client.__file__).with_name("half_open.py"), RDV_ADDRESS, RDV_PORT, HALF_OPEN, *SOURCES),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(flood.__exit__, None, None, None)
        self.assertRegex(flood.stdout.readline(), r"\d+ open\n")
        return flood

    def come_online(self) -> float:
        """The onsite's agent is killed and started: seconds from its start until the server has it."""
        agent = self.onsite.background("tundev-agent")
        agent.kill()
        server = self.rdv.background("rdv-server")
        before = len(server.log)
        started = time.monotonic()
        self.lab.daemons.start_daemon("onsite", "tundev-agent")
        server.wait_log('device connected device="rpi1100"', offset=before)
        return time.monotonic() - started

    def test_of_2000_half_open_connections_from_3_addresses_lets_a_device_in_and_has_bounded_memory(self) -> None:
        server = self.rdv.background("rdv-server")
        before = held(server)
        flood = self.flood()
        took, most = [], before.rss_kb
        for _ in range(TRIES):
            took.append(self.come_online())
            most = max(most, held(server).rss_kb)
        flooded = held(server)
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        flood.stdin.close()
        made = int(flood.stdout.readline())
        self.assertEqual(flood.wait(COMES_S), 0)
        self.assertGreaterEqual(made, HALF_OPEN)
        self.assert_promised(max(took), DEVICE_S_MAX)
        self.assertLess(most, before.rss_kb + RSS_KB_MAX)
        until("the strangers gone", lambda: held(server).descriptors <= before.descriptors + 2, every=0.2)
        tell(
            f"flood: {HALF_OPEN} half-open connections held from {len(SOURCES)} addresses, {made} made: a device was in after"
            f" {max(took):.2f} s at most (of {TRIES}); RSS {before.rss_kb} -> {most} kB,"
            f" descriptors {before.descriptors} -> {flooded.descriptors}"
        )
