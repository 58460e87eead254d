"""The disk: nothing is written while nothing changes, and what is written survives."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from case import LabCase
from supervisor import Supervisor

from lab.process import until

QUIET_SECONDS = 12.0  # more than two of everything that a session does regularly


def written_bytes(pid: int) -> int:
    """What a process has caused to be written to a disk so far (proc(5), io); pages of a tmpfs do not count."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


class SteadyState(LabCase):
    def setUp(self) -> None:
        super().setUp()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def put_on_disk(self, host: str) -> tuple[Supervisor, Supervisor]:
        """The device's state and runtime folders on a real disk, its log as quiet as a customer's; netd and agent."""
        where = self.lab[host].directory
        disk = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        disk.chmod(0o755)
        config = where / "device.toml"
        before = config.read_text()
        self.stack.callback(config.write_text, before)
        for daemon in ("tundev-agent", "tundev-netd"):
            self.lab[host].background(daemon).stop()
            # The next test finds the state where it was.
            self.stack.callback(self.lab[host].background(daemon).stop)
        for folder, user in (("state", "rdv-tundev"), ("run", "rdv-netd")):
            shutil.copytree(where / folder, disk / folder)
            for path in (disk / folder, *(disk / folder).iterdir()):
                shutil.chown(path, user, user)
        config.write_text(before.replace(str(where), str(disk)).replace('"debug"', '"info"'))
        self.disk = disk
        netd = self.stack.enter_context(Supervisor(self.lab, host, "tundev-netd"))
        agent = self.stack.enter_context(Supervisor(self.lab, host, "tundev-agent"))
        LabCase.setUp(self)
        return netd, agent

    def test_a_device_in_a_session_writes_nothing_to_its_disk_and_nothing_to_its_log(self) -> None:
        for host in ("master", "onsite"):
            daemons = self.put_on_disk(host)
            with self.session() as session:
                session.wait_established()
                self.assert_reaches_camera()
                before = [(d.pid, written_bytes(d.pid), d.process.log) for d in daemons]
                ends = time.monotonic() + QUIET_SECONDS
                while time.monotonic() < ends:
                    self.assert_reaches_camera()
                    time.sleep(0.5)
                for daemon, (pid, wrote, log) in zip(daemons, before):
                    self.assertEqual(daemon.process.log[len(log) :], "", f"{daemon.daemon} on {host} logs")
                    self.assertEqual(written_bytes(pid) - wrote, 0, f"{daemon.daemon} on {host} writes")

    def test_a_copy_of_the_identity_that_the_disk_lost_is_made_anew_at_the_next_start(self) -> None:
        _, agent = self.put_on_disk("onsite")
        first, second = (self.disk / "state" / f"identity.{n}" for n in (1, 2))
        good = first.read_bytes()
        first.write_bytes(good[: len(good) // 2])
        agent.process.kill()
        until("the copy made anew", lambda: first.read_bytes() == good == second.read_bytes())
        # The measure of the test above sees what is written.
        self.assertGreater(written_bytes(agent.pid), 0)
        self.lab.daemons.wait_online(["rpi1100"])
