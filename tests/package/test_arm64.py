"""The packages for arm64, as they are cross-built here: nothing of them can be installed on this machine, but much be seen."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from debian_root import cross_root, packages
from test_files import COMMANDS, DAEMONS

from lab.host import REPO
from lab.process import run

AARCH64 = (b"\x7fELF\x02\x01", b"\xb7\x00")  # elf(5): 64 bit, little endian; the machine
NATIVE = run(["dpkg", "--print-architecture"]).stdout.strip()


@unittest.skipIf(NATIVE == "arm64", "on such a machine they are what all other tests are about")
class TheArm64Packages(unittest.TestCase):
    """With both unpacked into `root`, which lies in a Debian that has arm64's libraries and an emulator."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.debian = cross_root("arm64")
        folder = tempfile.TemporaryDirectory(prefix="rdv-packages-", dir=cls.debian / "tmp")
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        for deb in packages("arm64"):
            run(["dpkg-deb", "--extract", str(deb), str(cls.root)])

    def inside(self, *argv: str) -> str:
        done = run(["chroot", str(self.debian), *argv], check=False)
        self.assertEqual(done.returncode, 0, f"{argv}: {done.stdout[-2000:]}{done.stderr}")
        return done.stdout

    def programs(self) -> list[Path]:
        return [self.root / "usr" / ("sbin" if name in DAEMONS else "bin") / name for name in DAEMONS + COMMANDS]

    def test_have_programs_for_that_machine(self) -> None:
        for program in self.programs():
            with program.open("rb") as file:
                head = file.read(20)
            self.assertEqual((head[:6], head[18:]), AARCH64, program.name)

    def test_have_programs_that_start(self) -> None:
        version = re.search(r"project\(rdv VERSION ([\d.]+)", (REPO / "CMakeLists.txt").read_text())[1]
        for program in self.programs():
            self.assertIn(version, self.inside("qemu-aarch64", f"/{program.relative_to(self.debian)}", "--version"))

    def test_leave_nothing_for_lintian_to_say(self) -> None:
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on=error,warning", *map(str, packages("arm64"))],
            text=True,
            capture_output=True,
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_need_nothing_that_an_arm64_debian_has_not(self) -> None:
        """apt, told that it is on a machine with nothing installed, finds all they need."""
        (self.root / "status").touch()
        here = f"/{self.root.relative_to(self.debian)}"
        machine = ("APT::Architecture=arm64", "APT::Architectures::=arm64", f"Dir::State::status={here}/status")
        options = [word for option in machine for word in ("-o", option)]
        for deb in packages("arm64"):
            shutil.copy(deb, self.root)
            said = self.inside("apt-get", *options, "install", "--simulate", f"{here}/{deb.name}")
            self.assertRegex(said, rf"(?m)^Inst {deb.name.split('_')[0]} ")
            self.assertRegex(said, r"(?m)^Inst systemd .*arm64")
