"""raspberry-image/provision: the administrator's file onto the card, without a mount."""

from __future__ import annotations

import subprocess
import unittest
from pathlib import Path

from guest import IMAGE
from world import world

from lab.host import REPO
from lab.process import run, until

PROVISION = REPO / "raspberry-image" / "provision"
ON_THE_CARD = "rdv-provision.toml"


def provision(card: Path, file: Path, *inside: str) -> subprocess.CompletedProcess:
    return subprocess.run([*inside, str(PROVISION), str(card), str(file)], text=True, capture_output=True, timeout=300)


class AnAdministratorsFile(unittest.TestCase):
    def setUp(self) -> None:
        self.master = world().master
        if not world().boot_seconds:
            self.master.insert_card()
        self.inbox = world().lab.inbox

    def test_is_put_onto_the_card_as_it_is(self) -> None:
        file = self.inbox / "rpi3000.toml"
        world().lab.daemons.rdvctl("device", "add", "rpi3000", "--role", "onsite", "--sd-file", str(file))
        done = provision(self.master.card, file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.master.read_card(ON_THE_CARD), file.read_text())

    def test_is_refused_when_no_device_would_take_it(self) -> None:
        before = self.master.read_card(ON_THE_CARD)
        file = self.inbox / "bad.toml"
        file.write_text('format = 1\nname = "Not a name"\n')
        done = provision(self.master.card, file)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"(?m)^provision: .*name")
        self.assertIn("nothing was changed", done.stderr)
        self.assertEqual(self.master.read_card(ON_THE_CARD), before)

    def test_is_not_written_onto_what_is_no_card(self) -> None:
        file = self.inbox / "rpi3001.toml"
        world().lab.daemons.rdvctl("device", "add", "rpi3001", "--role", "onsite", "--sd-file", str(file))
        other = self.inbox / "other.img"
        other.write_bytes(bytes(1 << 20))
        done = provision(other, file)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("is no image of a card", done.stderr)
        self.assertEqual(other.read_bytes(), bytes(1 << 20))

    def test_is_not_written_onto_a_card_that_is_mounted(self) -> None:
        file = self.inbox / "rpi3002.toml"
        world().lab.daemons.rdvctl("device", "add", "rpi3002", "--role", "onsite", "--sd-file", str(file))
        card = self.insert_into_reader()
        # Mounted for this one process, so that it is over with it.
        mounted = f'mount -o ro {card}p3 /mnt && exec "$0" "$@"'
        done = provision(card, file, "unshare", "--mount", "--propagation", "private", "sh", "-c", mounted)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("is mounted; nothing was changed", done.stderr)
        self.assertEqual(world().master.read_card(ON_THE_CARD, card), "")

    def insert_into_reader(self) -> Path:
        """A card as a block device with partitions."""
        image = self.inbox / "card.img"
        run(["cp", "--sparse=always", str(IMAGE), str(image)])
        card = run(["losetup", "--find", "--show", str(image)]).stdout.strip()
        self.addCleanup(run, ["losetup", "--detach", card])
        run(["partx", "--update", card])
        gone = ["partx", "--delete", card]
        self.addCleanup(until, f"the end of {card}", lambda: run(gone, check=False).returncode == 0)
        return Path(card)
