"""Everybody loses the server at once, and comes back: soon, spread out, and no handshake for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rdv_client
from fault_case import ALL, SEED, FaultCase, tell
from resources import held

from lab.topology import RDV_ADDRESS, RDV_PORT

DEVICES = int(os.environ.get("RDV_STORM_DEVICES", "2000" if ALL else "200"))
NETWORK = "198.19.0.0/16"  # each device comes from an address of its own, as from a line of its own
DOWN_S = 1.0
BACK_S_MAX = 10.0 if DEVICES <= 200 else 30.0
RDVCTL_AT_ONCE = 8


class AStorm(FaultCase):
    def setUp(self) -> None:
        super().setUp()
        internet = self.lab["internet"]
        internet.run("ip", "addr", "replace", NETWORK, "dev", "lo")
        self.addCleanup(internet.run, "ip", "addr", "del", NETWORK, "dev", "lo", check=False)

    def fleet(self) -> subprocess.Popen:
        """DEVICES onsites, enrolled and online; they are removed again after the test."""
        names = [f"storm-{n:04}" for n in range(DEVICES)]
        with ThreadPoolExecutor(RDVCTL_AT_ONCE) as pool:
            codes = list(pool.map(lambda name: self.lab.daemons.add_device(name, "onsite", "a shelf"), names))
        self.addCleanup(self.remove, names)
        fleet = self.lab["internet"].popen(
            *("python3", Path(rdv_client.__file__).with_name("storm_devices.py"), RDV_ADDRESS, RDV_PORT, SEED, NETWORK),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(fleet.__exit__, None, None, None)
        fleet.stdin.write("\n".join(codes) + "\n\n")
        fleet.stdin.flush()
        self.assertEqual(fleet.stdout.readline(), f"{DEVICES} online\n")
        return fleet

    def remove(self, names: list[str]) -> None:
        with ThreadPoolExecutor(RDVCTL_AT_ONCE) as pool:
            list(pool.map(lambda name: self.rdvctl("device", "remove", name), names))

    def ask_back(self, fleet: subprocess.Popen, since: float) -> dict:
        fleet.stdin.write(f"back {since}\n")
        fleet.stdin.flush()
        return json.loads(fleet.stdout.readline())

    def test_after_kill_9_of_the_server_all_devices_are_back_and_no_handshake_was_wasted(self) -> None:
        fleet = self.fleet()
        server = self.rdv.background("rdv-server")
        before = held(server)
        self.ask_back(fleet, 0.0)  # what was counted up to here
        server.kill()
        time.sleep(DOWN_S)
        started = time.monotonic()
        self.lab.daemons.start_server()
        back = self.ask_back(fleet, started)
        after = held(server)
        self.lab.daemons.wait_online(["rpi1100", "master"])
        tell(
            f"storm: {DEVICES} devices, server killed and started {DOWN_S:g} s later: all back {back['last_s']:.1f} s after"
            f" its start; at most {back['peak']} connections begun in one second, {back['refused']} refused while it was"
            f" down, {back['turned_away']} turned away before TLS, {back['wasted']} handshakes wasted;"
            f" RSS with all {before.rss_kb} -> {after.rss_kb} kB"
        )
        fleet.stdin.close()
        self.assertEqual(fleet.wait(30 + DEVICES / 20), 0)  # each one says goodbye
        self.assertEqual(back["wasted"], 0)
        self.assert_promised(back["last_s"], BACK_S_MAX)
