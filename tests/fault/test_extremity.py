"""The laptop's adapter is pulled out and put in again, twenty times: it gets its lease, and nothing is there twice."""

from __future__ import annotations

import time

from fault_case import FaultCase, tell
from snapshot import differences, settled_snapshot, snapshot

from lab import laptop as laptops
from lab.process import LabError, until

TIMES = 20


class TheLaptopsAdapter(FaultCase):
    def test_pulled_out_and_put_in_twenty_times_leaves_nothing_twice(self) -> None:
        before = settled_snapshot(self.master)
        session = self.watched_session()
        pulled = time.monotonic()
        self.lab.unplug("master")
        session.wait_end()
        noticed = time.monotonic() - pulled
        self.assertIn("unplugged", session.output)
        leases = []
        for _ in range(TIMES):
            plugged = time.monotonic()
            self.lab.plug("master")
            laptops.wait_lease(self.laptop)
            leases.append(time.monotonic() - plugged)
            # Sometimes it comes back before anybody has finished with its going.
            self.lab.unplug("master")
            time.sleep(self.random.choice((0.0, 0.02, 0.2)))
        self.lab.plug("master")
        laptops.wait_lease(self.laptop)
        self.assert_as(before)
        reopened = time.monotonic()
        with self.session() as again:
            again.wait_established()
            reopened = time.monotonic() - reopened
            self.assert_reaches_camera()
        self.assert_as(before)
        leases.sort()
        tell(
            f"adapter: pulled out in a session: noticed {noticed:.2f} s; {TIMES} times out and in: lease after"
            f" {leases[TIMES // 2]:.2f} s, at most {leases[-1]:.2f} s; reopened in {reopened:.2f} s, nothing twice"
        )

    def assert_as(self, before: dict) -> None:
        try:
            until("the master as before", lambda: not differences(before, snapshot(self.master)), every=0.2)
        except LabError:
            self.fail(f"not as before on the master:\n{differences(before, snapshot(self.master))}")
