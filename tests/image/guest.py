"""A Raspberry Pi of the lab: the SD card's image in an emulated arm64 machine, at the place of a host of the lab.

QEMU's `virt` machine has the Pi 3's processor and none of its devices: card and network are virtio's. Kernel, initial RAM
disk and command line are those that the Pi's boot loader would take from the card.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from qmp import Qmp

from lab import laptop as laptops
from lab.host import REPO, Host
from lab.people import Privileges
from lab.process import LabError, run, tail, until
from lab.topology import DEVICE_LAN, EXTREMITY

IMAGE = REPO / "build" / "image" / "rdv.img"
FAT_AT, FAT_SIZE = 4, 256  # MiB, as what follows
FAT = f"@@{FAT_AT << 20}"  # behind the image's name, for mtools
ROOT_AT, ROOT_SIZE = 260, 1024
DATA_AT, DATA_SIZE = 1284, 128
BOOT_SECONDS = 400.0  # 67 s on a calm machine
PORT_MAC = "52:54:00:68:00:01"
READY = re.compile(r"rdv: (\S+) is ready after (\d+) s")
# What a start says that stands still for somebody at the screen, or for good.
STUCK = re.compile(r"You are in (?:emergency|rescue) mode|Cannot open access to console|\(initramfs\)|Kernel panic")


class Guest(Host):
    """Stands where `host` stood: at the end of its cable. What is run on it is run by ssh from `engineer`, as root."""

    more_for_the_kernel = "console=ttyAMA0"
    address = DEVICE_LAN  # where the engineer finds it
    adapter_mac = "52:54:00:68:00:02"  # one of the local kind, as a telephone has: the adapter is usb0

    def __init__(self, host: Host, engineer: Host, key: Path, card: str = "") -> None:
        """`card`: tells its card from others that are used in the same place."""
        super().__init__(host.netns.removesuffix(f"-{host.name}"), host.name)
        self.engineer = engineer
        self.key = key
        self.card = REPO / "build" / "cards" / f"{self.netns}{card}.img"
        self.known_hosts = self.directory / f"known_hosts{card}"
        self.serial = self.directory / "serial.log"
        self._qmp: Qmp | None = None

    # --- card ---------------------------------------------------------------------------------------------------------

    def insert_card(self) -> None:
        """A fresh copy of the image."""
        if not IMAGE.exists():
            raise LabError(f"no image {IMAGE}: build it with raspberry-image/build")
        self.card.parent.mkdir(exist_ok=True)
        run(["cp", "--sparse=always", str(IMAGE), str(self.card)])

    def check_card(self) -> None:
        """The card after a cut, mended as the next boot does it; what that leaves damaged is a LabError."""
        self._check_partition(FAT_AT, FAT_SIZE, ["fsck.fat", "-a"], ["fsck.fat", "-n"])
        self._check_partition(DATA_AT, DATA_SIZE, ["e2fsck", "-p"], ["e2fsck", "-f", "-n"])
        there, length = f"{ROOT_AT << 20}", f"{ROOT_SIZE << 20}"
        run(["cmp", f"--ignore-initial={there}", f"--bytes={length}", str(IMAGE), str(self.card)])  # it is never written

    def _check_partition(self, at: int, size: int, mend: list[str], check: list[str]) -> None:
        copy = self.card.with_suffix(".part")
        run(["dd", f"if={self.card}", f"of={copy}", "bs=1M", f"skip={at}", f"count={size}", "conv=sparse", "status=none"])
        run(["sh", "-c", f"{' '.join(mend)} {copy} || [ $? -eq 1 ]"])  # 1: it has mended what a cut leaves
        run([*check, str(copy)])
        copy.unlink()

    def read_card(self, name: str, card: Path | None = None) -> str:
        """A text file of the FAT partition, of another card perhaps; "" when there is none."""
        return run(["mtype", "-i", f"{card or self.card}{FAT}", f"::{name}"], check=False).stdout

    def _boot_files(self) -> list[str]:
        """As config.txt and cmdline.txt on the card say, and the console that this machine has."""
        config = dict(re.findall(r"^(kernel|initramfs)[= ](\S+)$", self.read_card("config.txt"), re.MULTILINE))
        for name in config.values():
            run(["mcopy", "-o", "-i", f"{self.card}{FAT}", f"::{name}", str(self.directory / name)])
        kernel, initramfs = (str(self.directory / config[key]) for key in ("kernel", "initramfs"))
        return ["-kernel", kernel, "-initrd", initramfs, "-append", f"{self.read_card('cmdline.txt').strip()} {self.more_for_the_kernel}"]

    def write_partition(self, at: int, size: int, change: list[str]) -> None:
        """Changes a partition of the card by a command that gets it as a file behind its arguments."""
        part = self.card.with_suffix(".part")
        run(["dd", f"if={self.card}", f"of={part}", "bs=1M", f"skip={at}", f"count={size}", "conv=sparse", "status=none"])
        run([*change, str(part)])
        run(["dd", f"if={part}", f"of={self.card}", "bs=1M", f"seek={at}", "conv=notrunc", "status=none"])
        part.unlink()

    # --- power --------------------------------------------------------------------------------------------------------

    def lay_cable(self) -> None:
        """The host's own cable becomes the guest's: a switch between it and the emulator."""
        self.background("sshd").kill()
        ip = ["ip", "-n", self.netns]
        run([*ip, "addr", "flush", "dev", "eth0"])
        run([*ip, "link", "add", "switch", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"])
        run([*ip, "tuntap", "add", "uplink", "mode", "tap"])
        for link in ("eth0", "uplink"):
            run([*ip, "link", "set", link, "master", "switch", "up"])
        run([*ip, "link", "set", "switch", "up"])

    def power_on(self) -> None:
        self.serial.unlink(missing_ok=True)
        socket = self.directory / "qmp"
        socket.unlink(missing_ok=True)
        self.start(
            "qemu",
            *("qemu-system-aarch64", "-accel", "tcg,thread=multi", "-display", "none", "-monitor", "none", "-no-reboot"),
            *(*self._hardware(), *self._boot_files(), "-qmp", f"unix:{socket},server=on,wait=off"),
        )
        self._qmp = Qmp(socket)

    def _hardware(self) -> list[str]:
        return [
            *("-M", "virt,gic-version=2", "-cpu", "cortex-a53", "-smp", "2", "-m", "512", "-device", "qemu-xhci,id=xhci"),
            *("-drive", f"file={self.card},if=none,id=card,format=raw", "-device", "virtio-blk-pci,drive=card"),
            *("-serial", f"file:{self.serial}", *self._own_port()),
        ]

    def _own_port(self) -> list[str]:
        netdev = "tap,id=uplink,ifname=uplink,script=no,downscript=no"
        return ["-netdev", netdev, "-device", f"virtio-net-pci,netdev=uplink,mac={PORT_MAC},romfile="]

    @property
    def is_on(self) -> bool:
        return bool(self.background("qemu").pid)

    def power_off(self) -> None:
        """By pulling the plug."""
        if self._qmp:
            self._qmp.close()
            self._qmp = None
        self.background("qemu").kill()

    def wait_ready(self) -> tuple[str, int]:
        """The name it says on its console when it has started, and after how many seconds it did.

        A start that has come to nothing is a LabError at once.
        """

        def said() -> re.Match | None:
            if not self.is_on:
                raise LabError(f"{self.name}: the emulator has ended:\n{tail(self.background('qemu').log)}")
            console = self.console()
            if stuck := STUCK.search(console):
                raise LabError(f"{self.name} has not started: {stuck[0]}")
            return READY.search(console)

        try:
            found = until(f"{self.name} to have started", said, BOOT_SECONDS, 0.2)
        except LabError as error:
            raise LabError(f"{error}\n{self.last_words()}") from None
        return found[1], int(found[2])

    def console(self) -> str:
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""

    def last_words(self) -> str:
        return tail(self.console(), 40)

    # --- the laptop's port --------------------------------------------------------------------------------------------

    def has_adapter(self) -> bool:
        return any(device["name"] == "usb-adapter" for device in self._qmp.do("qom-list", path="/machine/peripheral"))

    def plug(self, laptop: Host) -> None:
        """A USB-Ethernet adapter with the laptop at its other end."""
        self._qmp.do("netdev_add", type="tap", id="adapter", ifname="adapter", script="no", downscript="no")
        run(["ip", "-n", self.netns, "link", "set", "adapter", "netns", laptop.netns, "name", "eth0"])
        run(["ip", "-n", laptop.netns, "link", "set", "eth0", "up"])
        self._qmp.do("device_add", driver="usb-net", id="usb-adapter", netdev="adapter", bus="xhci.0", mac=self.adapter_mac)
        laptops.ask_for_address(laptop)

    def unplug(self, laptop: Host) -> None:
        self._qmp.do("device_del", id="usb-adapter")
        self._qmp.wait_event("DEVICE_DELETED", device="usb-adapter")
        self._qmp.do("netdev_del", id="adapter")
        laptops.forget_address(laptop)

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, argv: list[str], privileges: Privileges | None = None) -> list[str]:
        """Given privileges, it is a person's command; the emulator itself is started without (see start())."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=accept-new", "ConnectTimeout=30", "ServerAliveInterval=10"]
        options.append(f"UserKnownHostsFile={self.known_hosts}")
        words = [word for option in options for word in ("-o", option)]
        ssh = ["ssh", "-q", "-t", "-F", "/dev/null", "-i", str(self.key), *words, f"root@{self.address}"]
        return self.engineer.command([*ssh, shlex.join(map(str, argv))])

    def start(self, name: str, *argv: object, privileges: Privileges | None = None):
        process = self.background(name)
        if not process.pid:
            process.start(super().command(list(argv)), self.environment())
        return process

    def remove(self) -> None:
        self.power_off()
        self.card.unlink(missing_ok=True)


class Zero(Guest):
    """Without a port of its own, as a Zero 2 W is: the adapter is eth0, and reached from the laptop."""

    address = EXTREMITY
    adapter_mac = "00:e0:4c:68:00:02"

    def _own_port(self) -> list[str]:
        return ["-nic", "none"]


class Pi3(Guest):
    """A Raspberry Pi 3B as far as QEMU has one: with its card reader, and no network. Its watchdog ends the emulator."""

    more_for_the_kernel = "console=ttyS1,115200 module_blacklist=bcm2835_wdt"

    def insert_card(self) -> None:
        super().insert_card()
        run(["truncate", "--size=2G", str(self.card)])  # such a reader takes powers of two

    def _hardware(self) -> list[str]:
        tree = self.directory / "board.dtb"
        run(["mcopy", "-o", "-i", f"{self.card}{FAT}", "::bcm2837-rpi-3-b.dtb", str(tree)])
        serial = ["-serial", "null", "-serial", f"file:{self.serial}"]  # the second is the one on the pins
        return ["-M", "raspi3b", "-dtb", str(tree), "-drive", f"file={self.card},if=sd,format=raw", *serial]


__all__ = ["Guest", "Pi3", "Zero"]
