"""A way that loses a fifth of everything, is slow and long: nobody is taken for dead, and work goes on."""

from __future__ import annotations

import re
import time

from fault_case import INTERRUPTED, FaultCase, Ride, tell

from lab.topology import CAMERA

LOSS_PERCENT = 20.0
RATE_MBIT = 2.0
ROUND_TRIP_MS = 200.0
PINGS = 40


class ABadWay(FaultCase):
    def test_loses_20_percent_at_2_Mbit_and_200_ms_and_ping_ssh_and_http_are_usable(self) -> None:
        ride = Ride(self, "a bad way", with_copy=False)
        began = time.monotonic()
        self.way(ROUND_TRIP_MS, RATE_MBIT, loss=LOSS_PERCENT)
        pings = self.laptop.popen("ping", "-n", "-i0.5", f"-c{PINGS}", "-W30", CAMERA, stdout=-1, text=True)
        keys = sorted(ride.shell.echo_s(30) for _ in range(20))
        page = time.monotonic()
        self.assertIn("<title>camera: live picture</title>", self.fetch(seconds=60))
        page = time.monotonic() - page
        bulk = time.monotonic()
        self.fetch(f"http://{CAMERA}/bytes/100000", seconds=120)
        bulk = time.monotonic() - bulk
        said = pings.communicate(timeout=90)[0]
        lasted = time.monotonic() - began
        received = int(re.search(r"(\d+) received", said)[1])
        self.assertGreaterEqual(received, PINGS * 0.9, said)
        self.assertLess(keys[len(keys) // 2], 2.0, keys)
        self.assertIsNone(ride.session.heard(INTERRUPTED), "a peer that lives was taken for dead")
        self.assertEqual(len(self.sessions()), 1)
        times = sorted(float(ms) for ms in re.findall(r"time=([\d.]+)", said))
        tell(
            f"bad way: {LOSS_PERCENT:g} % lost each way, {RATE_MBIT:g} Mbit/s, round trip {ROUND_TRIP_MS:g} ms, for {lasted:.0f} s:"
            f" {received} of {PINGS} pings, median {times[len(times) // 2]:.0f} ms; ssh key median"
            f" {keys[len(keys) // 2]:.2f} s, worst {keys[-1]:.2f} s; page {page:.2f} s; 100 kB {bulk:.1f} s; never interrupted"
        )
