"""A daemon's state on a small disk of its own, which a test fills and frees."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lab.lab import Lab
from lab.process import run

from supervisor import Supervisor

MB = 1024 * 1024
WATCHDOG = 6.0  # s; it says how it does three times in this
OWNERS = {"rdv-server": ("rdv", "server.toml"), "tundev-agent": ("rdv-tundev", "device.toml")}


class SmallDisk:
    """Restarts `daemon` of `host` with a copy of its state on a tmpfs of `size` bytes; use it in a `with`.

    `more` is added to its configuration. Leaving it stops the daemon: the next test starts it as always.
    """

    def __init__(self, lab: Lab, host: str, daemon: str, size: int = 3 * MB, more: str = "") -> None:
        self._host, self._daemon, self._size, self._more = lab[host], daemon, size, more
        self._user, name = OWNERS[daemon]
        self._config = self._host.directory / name
        self.service = Supervisor(lab, host, daemon, watchdog_seconds=WATCHDOG)

    def __enter__(self) -> SmallDisk:
        self._before = self._config.read_text()
        self._mount = Path(tempfile.mkdtemp(dir="/run"))
        self._host.background(self._daemon).stop()
        run(["mount", "-t", "tmpfs", "-o", f"size={self._size},mode=0755", "tmpfs", str(self._mount)])
        self.state = self._mount / "state"
        shutil.copytree(self._host.directory / "state", self.state)
        run(["chown", "-R", f"{self._user}:{self._user}", str(self.state)])
        self._config.write_text(
            self._before.replace(f'"{self._host.directory}/state"', f'"{self.state}"') + self._more
        )
        self.service.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.__exit__()
        self.service.process.stop()
        self._config.write_text(self._before)
        run(["umount", "--lazy", str(self._mount)])
        self._mount.rmdir()

    def fill(self) -> None:
        """Takes all the room that is left."""
        with (self._mount / "ballast").open("ab", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def free(self) -> None:
        (self._mount / "ballast").unlink()
