"""A disk that is full, at the server and on a device: sessions work, somebody is told, and all is well again by itself."""

from __future__ import annotations

import json
import re
import time

from clock import WallClock
from fault_case import FaultCase, tell
from small_disk import SmallDisk

from lab.people import OPERATOR
from lab.process import LabError, until

DAY = 86400.0
REFUSED = r"the server opens no session that it cannot record in its audit: .*No space left on device"
ALARMS = (
    *("dbus-send", "--system", "--print-reply", "--dest=org.rdv.Server1", "/org/rdv/Server1"),
    *("org.freedesktop.DBus.Properties.Get", "string:org.rdv.Server1", "string:Alarms"),
)
ALARM_SIGNALS = "type='signal',interface='org.freedesktop.DBus.Properties',path='/org/rdv/Server1'"


class AtTheServer(FaultCase):
    def small_disk(self, when_full: str) -> SmallDisk:
        disk = SmallDisk(self.lab, "rdv", "rdv-server", more=f'\n[audit]\nwhen_full = "{when_full}"\n')
        self.addCleanup(disk.__exit__)
        disk.__enter__()
        self.service = disk.service
        self.log_offset = len(self.service.process.log)
        FaultCase.setUp(self)
        self.signals = self.rdv.start("alarm-signals", "dbus-monitor", "--system", ALARM_SIGNALS)
        self.addCleanup(self.signals.stop)
        self.signals.wait_log("NameAcquired")
        return disk

    def status(self) -> dict:
        return json.loads(self.rdvctl("status", "--json"))

    def audit(self, *argv: str) -> str:
        """rdvctl audit …, as root: nobody else may read it."""
        return self.rdv.run("rdvctl", "--config", self.rdv.directory / "server.toml", "audit", *argv).stdout

    def provoke(self) -> None:
        """Sessions that are refused are records too."""
        for _ in range(30):
            if self.status()["audit_trouble"]:
                return
            self.masterdev("-o", "nobody", master="master2", check=False)
        raise LabError("no alarm")

    def assert_alarm(self) -> None:
        status = self.status()
        self.assertRegex(status["audit_trouble"], "No space left on device")
        self.assertTrue(any("the audit cannot be written" in alarm for alarm in status["alarms"]), status)
        self.assertRegex(self.rdvctl("status"), "ALARM: +the audit cannot be written: .*No space left")
        self.assertRegex(self.rdv.run(*ALARMS).stdout, "the audit cannot be written: .*No space left")
        until("the alarm in systemctl status", lambda: "ALARM: the audit" in self.service.status)
        until("a signal of the alarm", lambda: '"Alarms"' in self.signals.log)
        lines = re.findall("error the audit cannot be written", self.service.process.log[self.log_offset :])
        self.assertEqual(len(lines), 1, "one line in the log, not one for each record")

    def assert_all_clear(self) -> None:
        freed = time.monotonic()
        until("the end of the alarms", lambda: not self.status()["alarms"], every=0.05)
        self.took = time.monotonic() - freed
        until("its end in systemctl status", lambda: "ALARM" not in self.service.status)
        self.service.process.wait_log("the audit is written again", offset=self.log_offset)
        self.assertEqual(self.service.restarts, [])
        records = json.loads(self.audit("list", "--json"))
        words = [record["what"] for record in records]
        self.assertIn("audit_alarm", words)
        self.assertEqual(records[words.index("audit_gap")]["count"], 0)
        self.assertRegex(self.audit("verify"), "unbroken: .*\nit holds the record")

    def assert_recorded(self, session: str, *words: str) -> None:
        records = json.loads(self.audit("list", "--session", session, "--json"))
        self.assertEqual([record["what"] for record in records], list(words))

    def test_continue_opens_sessions_and_records_them(self) -> None:
        disk = self.small_disk("continue")
        before = self.open_session()
        disk.fill()
        self.provoke()
        self.assert_alarm()
        self.assert_reaches_camera()
        with self.session("rpi1200", master="master2") as session:
            session.wait_established()
            self.assert_reaches_camera("laptop2", "camera2")
            (during,) = (s["id"] for s in self.sessions() if s["onsite"] == "rpi1200")
        self.faults.kill_socket("onsite", self.faults.leg("onsite", 0))
        before.wait_output("resumed")
        self.assert_reaches_camera()
        disk.free()
        self.assert_all_clear()
        until("the end", lambda: len(self.sessions()) == 1)
        self.assert_recorded(during, "session_granted", "session_established", "session_closed")
        tell(f"full disk: server, continue: a session opened, one resumed, none interrupted; well again {self.took:.1f} s after there was room")

    def test_refuse_opens_no_session_until_there_is_room_and_those_that_run_go_on(self) -> None:
        disk = self.small_disk("refuse")
        before = self.open_session()
        disk.fill()
        self.provoke()
        self.assert_alarm()
        refused = self.masterdev("-o", "rpi1200", master="master2", check=False)
        self.assertEqual(refused.returncode, 1, refused)
        self.assertRegex(refused.stderr + refused.stdout, REFUSED)
        self.faults.kill_socket("onsite", self.faults.leg("onsite", 0))
        before.wait_output("resumed")
        self.assert_reaches_camera()
        disk.free()
        self.assert_all_clear()
        with self.session("rpi1200", master="master2") as session:
            session.wait_established()
        self.assertRegex(self.audit("list", "--device", "rpi1200"), "session_refused .* rule=audit ")
        tell(f"full disk: server, refuse: the running session resumed, a new one refused; well again {self.took:.1f} s after there was room")

    def test_a_server_that_is_killed_on_a_full_disk_starts_again_and_its_session_resumes(self) -> None:
        disk = self.small_disk("continue")
        session = self.open_session()
        disk.fill()
        killed = time.monotonic()
        self.service.process.signal(9)
        until("the next server", lambda: "READY=1" in self.service.said(killed))
        session.wait_output("resumed")
        self.assert_reaches_camera()
        disk.free()
        self.service.restarts.clear()
        until("the end of the alarms", lambda: not self.status()["alarms"], every=0.05)
        self.assertRegex(self.audit("list"), r"server_started .*after one that did not stop in order")
        self.assertIn("unbroken", self.audit("verify"))
        tell(f"full disk: server killed: resumed after {time.monotonic() - killed:.1f} s")


class OnADevice(FaultCase):
    def small_disk(self, host: str) -> SmallDisk:
        disk = SmallDisk(self.lab, host, "tundev-agent")
        self.addCleanup(disk.__exit__)
        disk.__enter__()
        FaultCase.setUp(self)
        return disk

    def test_sessions_work_and_a_certificate_is_renewed_and_stored_when_there_is_room(self) -> None:
        status = ("tundev", "status")
        disk = self.small_disk("onsite")
        disk.fill()
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        identities = {copy: copy.read_bytes() for copy in disk.state.iterdir()}
        offset = len(disk.service.process.log)
        # Two months ahead for everybody who asks: only this device may get a certificate of that time.
        for other in ("master", "master2", "onsite2"):
            self.lab[other].background("tundev-agent").stop()
        with WallClock(self.lab, "rdv", "rdv-server", seconds=61 * DAY):
            disk.service.process.wait_log("the new certificate cannot be stored", 60, offset)
            alarm = "ALARM: the new certificate is not stored yet: .*No space left on device"
            until("the alarm", lambda: re.search(alarm, self.onsite.run(*status, privileges=OPERATOR).stdout))
            self.assertEqual({copy: copy.read_bytes() for copy in disk.state.iterdir()}, identities)
            disk.free()
            freed = time.monotonic()
            disk.service.process.wait_log("the new certificate is stored", offset=offset)
            took = time.monotonic() - freed
        until("the end of the alarm", lambda: "ALARM" not in self.onsite.run(*status, privileges=OPERATOR).stdout)
        self.assertEqual(disk.service.restarts, [])
        self.assertTrue(all(copy.read_bytes() != text for copy, text in identities.items()))
        tell(f"full disk: device: a session opened; the renewed certificate stored {took:.1f} s after there was room")

    def test_an_enrolment_fails_with_the_cause_and_its_code_stays_good(self) -> None:
        disk = self.small_disk("onsite")
        disk.fill()
        code = json.loads(self.rdvctl("device", "code", "rpi1100", "--json"))["code"]
        failed = self.onsite.run("tundev", "enroll", code, privileges=OPERATOR, check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, "cannot store an identity: .*No space left on device")
        disk.free()
        self.onsite.run("tundev", "enroll", code, privileges=OPERATOR)
        for copy in disk.state.iterdir():
            (self.onsite.directory / "state" / copy.name).write_bytes(copy.read_bytes())
        self.lab.daemons.wait_online(["rpi1100"])
