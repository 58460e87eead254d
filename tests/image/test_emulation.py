"""raspberry-image/emulation: builds side by side, and one that is killed, on the kernel's one list of formats."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from lab.host import REPO

EMULATION = REPO / "raspberry-image" / "emulation"
# A builder: does what it is told, a line each, and answers with a line: whether the entry is there.
BUILDER = """set -euo pipefail
. "$1"
conf=$2
[ -e $formats/register ] || mount -t binfmt_misc none $formats
while read -r line; do
  case "$line" in on) emulation_on "$conf" ;; off) emulation_off ;; esac
  if [ -e "$formats/$(basename "$conf" .conf)" ]; then echo there; else echo gone; fi
done
"""
THERE, GONE = "there\n", "gone\n"


class TheKernelsFormats(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        name = f"rdv-test-{os.getpid()}"
        self.conf = Path(folder.name) / f"{name}.conf"
        self.conf.write_text(f"# by file name: nothing else is concerned\n:{name}:E::{name}::/bin/true:\n")
        self.addCleanup(Path(f"/run/rdv-emulation-{name}").unlink, missing_ok=True)

    def builder(self) -> subprocess.Popen:
        argv = ["unshare", "--mount", "--propagation", "private", "bash", "-c", BUILDER, "builder", EMULATION, self.conf]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process

    def tell(self, builder: subprocess.Popen, what: str) -> str:
        builder.stdin.write(f"{what}\n")
        return builder.stdout.readline()

    def test_stay_as_long_as_another_build_needs_them(self) -> None:
        first, second, onlooker = self.builder(), self.builder(), self.builder()
        self.assertEqual(self.tell(onlooker, "look"), GONE)
        self.assertEqual(self.tell(first, "on"), THERE)
        self.assertEqual(self.tell(second, "on"), THERE)
        self.assertEqual(self.tell(first, "off"), THERE)
        self.assertEqual(self.tell(second, "off"), GONE)

    def test_are_cleared_by_the_next_build_when_one_was_killed(self) -> None:
        killed, next_one = self.builder(), self.builder()
        self.assertEqual(self.tell(killed, "on"), THERE)
        killed.kill()
        killed.wait()
        self.assertEqual(self.tell(next_one, "on"), THERE)
        self.assertEqual(self.tell(next_one, "off"), GONE)

    def test_stay_when_no_build_put_them_there(self) -> None:
        self.addCleanup(self.take_out)
        somebody, builder = self.builder(), self.builder()
        self.assertEqual(self.tell(somebody, "on"), THERE)
        Path(f"/run/rdv-emulation-{self.conf.stem}").write_text("")  # as if by systemd-binfmt
        somebody.kill()
        somebody.wait()
        self.assertEqual(self.tell(builder, "on"), THERE)
        self.assertEqual(self.tell(builder, "off"), THERE)

    def take_out(self) -> None:
        """Newer kernels have done it: with the last mount."""
        formats = "/proc/sys/fs/binfmt_misc"
        entry = f"{formats}/{self.conf.stem}"
        mount = f"[ -e {formats}/register ] || mount -t binfmt_misc none {formats}"
        subprocess.run(["unshare", "--mount", "sh", "-c", f"{mount}; [ ! -e {entry} ] || echo -1 >{entry}"], check=True)
