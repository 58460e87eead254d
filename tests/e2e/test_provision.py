"""A file on an SD card makes a device of a bare system, or says on the card why not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from case import SpareDeviceCase


class Provision(SpareDeviceCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "rdv-provision.toml"
        self.root = self.folder / "root"
        made = self.folder / "made.toml"
        self.rdv.run("rdvctl", "device", "add", self.name, "--role", "onsite", "--sd-file", made)
        self.addCleanup(self.lab.daemons.rdvctl, "device", "remove", self.name)
        self.good = made.read_text()

    def provision(self, *before: str):
        return self.spare.run(*before, "tundev", "provision", self.file, "--root", self.root, check=False)

    @property
    def status(self) -> str:
        return (self.folder / "rdv-status.txt").read_text()

    def kept(self) -> str:
        return (self.root / "var/lib/rdv-provision/provision.toml").read_text()

    def assert_is_device(self) -> None:
        self.lab.daemons.wait_online([self.name])
        self.assertIn(f"{self.name}: enrolled.", self.status)
        self.assertFalse(self.file.exists(), "the code must not stay on the card")
        self.assertNotIn("\ncode =", self.kept())
        self.assertEqual((self.root / "etc/hostname").read_text(), f"{self.name}\n")

    def test_a_good_file_makes_the_device_and_goes(self) -> None:
        self.file.write_text(self.good)
        done = self.provision()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_is_device()
        self.assertEqual(self.provision().returncode, 0, "a later boot has nothing to do")

    def test_a_bad_file_stays_and_a_corrected_one_is_taken(self) -> None:
        self.file.write_text(self.good.replace('role = "onsite"', 'role = "slave"'))
        self.assertEqual(self.provision().returncode, 1)
        self.assertRegex(self.status, r'line \d+: role: must be "onsite" or "master"')
        self.assertTrue(self.file.exists())
        self.file.write_text(self.good)
        self.assertEqual(self.provision().returncode, 0)
        self.assert_is_device()

    def test_a_refused_code_is_said_on_the_card_and_a_new_file_is_taken(self) -> None:
        new = self.folder / "new.toml"
        self.rdv.run("rdvctl", "device", "code", self.name, "--sd-file", new)
        self.file.write_text(self.good)  # its code was replaced
        self.assertEqual(self.provision().returncode, 1)
        self.assertRegex(self.status, "(?s)not enrolled yet.*What is wrong: .+What to do: .+rdvctl device code")
        self.assertEqual(self.file.read_text(), self.good)
        self.file.write_text(new.read_text())
        self.assertEqual(self.provision().returncode, 0)
        self.assert_is_device()

    def test_a_card_that_cannot_be_written_any_more_keeps_no_device_from_its_work(self) -> None:
        self.file.write_text(self.good)
        refused = ("-P", str(self.file), "-e", "trace=unlink", "-e", "inject=unlink:error=EROFS")
        self.provision("strace", "-f", "-qq", "-o", "/dev/null", *refused)
        self.assertRegex(self.status, f"(?s){self.name}: enrolled.*What is wrong: the file is still here")
        self.assertNotIn("code =", self.file.read_text(), "it was overwritten all the same")
        self.assertEqual(self.provision().returncode, 0)
        self.assert_is_device()
        # Nor does one that cannot be read: what was kept makes the system.
        self.file.mkdir()
        (self.root / "etc/hostname").unlink()
        self.assertEqual(self.provision().returncode, 1)
        self.assertEqual((self.root / "etc/hostname").read_text(), f"{self.name}\n")

    def test_whenever_the_power_is_cut_the_next_boot_goes_on(self) -> None:
        """SIGKILL in place of one write after the other that changes a disk, until none is left."""
        self.file.write_text(self.good)
        killed = 0
        for call in ("fsync", "rename", "unlink"):
            for number in (1, 2, 3):
                inject = f"inject={call}:signal=KILL:when={number}"
                done = self.provision("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
                killed += done.returncode not in (0, 1)
        self.assertGreaterEqual(killed, 5, "strace did not kill")
        done = self.provision()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_is_device()
