"""What a session leaves in the hosts' kernels and process tables, compared with what was there before."""

from __future__ import annotations

from case import LabCase, heal
from snapshot import differences, settled_snapshot, snapshot

from lab.process import COMES_S, LabError, until

WATCHED = ("master", "onsite", "laptop", "rdv")


class GhostCase(LabCase):
    """Knows all hosts as they were before the test."""

    def setUp(self) -> None:
        super().setUp()
        self.before = {name: settled_snapshot(self.lab[name]) for name in WATCHED}

    def differences(self) -> str:
        """Against `before`, for all hosts; "" when there are none."""
        told = ""
        for name, before in self.before.items():
            if told_here := differences(before, snapshot(self.lab[name])):
                told += f"\n{name}:\n{told_here}"
        return told

    def assert_as_before(self, seconds: float = COMES_S) -> None:
        try:
            until("everything as before", lambda: not self.differences(), seconds, 0.1)
        except LabError:
            self.fail(f"not as before the session:{self.differences()}")

    def assert_works_again(self) -> None:
        """The next session works as if nothing had been, and leaves nothing either."""
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        self.assert_as_before()

    def heal(self) -> None:
        """Starts what does not run, and waits for the end of what should be over."""
        heal(self.lab)
