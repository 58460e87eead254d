"""What the engineer does while something breaks: a file copy from the camera, and an ssh that nobody types into."""

from __future__ import annotations

import hashlib
import os
import random
import select
import subprocess
import threading
import time
from pathlib import Path

from lab.host import Host
from lab.process import COMES_S, LabError, is_alive, until
from lab.topology import CAMERA

COPY_BYTES = 50_000_000
ECHO_S_MAX = 60.0  # TCP sends a key again after up to twice the time that it was in the dark
WATCH_EVERY_S = 0.004
PAUSE_S_MIN = 0.1
REMOTE = "stty -icanon; echo ready; exec cat >/dev/null"  # the far end's terminal echoes; not icanon: no limit of a line


def make_file(path: Path, seed: int, size: int = COPY_BYTES) -> None:
    """A file that does not repeat, the same for the same seed; readable by the person at the camera."""
    if not path.exists():
        path.write_bytes(random.Random(seed).randbytes(size))
        path.chmod(0o644)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Copy:
    """scp of a file from the camera to the laptop, and when how much of it was there."""

    def __init__(self, laptop: Host, source: Path, name: str = "copied") -> None:
        self.source, self.target = source, laptop.directory / name
        self.target.unlink(missing_ok=True)
        self._grown: list[tuple[float, int]] = [(time.monotonic(), 0)]
        self._process = laptop.popen(
            *("scp", "-q", "-F", laptop.directory / "ssh_config", f"{CAMERA}:{source}", self.target),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        while self._process.poll() is None:
            self._note()
            time.sleep(WATCH_EVERY_S)
        self._note()

    def _note(self) -> None:
        try:
            size = self.target.stat().st_size
        except FileNotFoundError:
            return
        if size != self._grown[-1][1]:
            self._grown.append((time.monotonic(), size))

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def bytes(self) -> int:
        return self._grown[-1][1]

    def wait_bytes(self, count: int, seconds: float = 60) -> None:
        def there() -> bool:
            if self._process.poll() is not None and self.bytes < count:
                raise LabError(f"scp ended with {self._process.returncode}: {self._process.stdout.read()}")
            return self.bytes >= count

        until(f"{count} bytes of the copy", there, seconds, 0.005)

    def wait_growth(self, seconds: float) -> None:
        """Waits until more of it comes than is there now."""
        self.wait_bytes(self.bytes + 1, seconds)

    def wait_end(self, seconds: float) -> None:
        """Waits for the whole file, unchanged: LabError when it is another one, or does not come."""
        try:
            said, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"scp still runs, with {self.bytes} of {COPY_BYTES} bytes") from None
        self._watcher.join(COMES_S)
        if self._process.returncode != 0:
            raise LabError(f"scp ended with {self._process.returncode} after {self.bytes} bytes: {said}")
        if digest(self.target) != digest(self.source):
            raise LabError("the file was changed on its way")

    def pauses(self, since: float) -> list[tuple[float, float]]:
        """Times without growth, of at least PAUSE_S_MIN, that ended after `since`: begin and end, as time.monotonic()."""
        moments = [when for when, _ in self._grown]
        found = [(a, b) for a, b in zip(moments, moments[1:]) if b > since and b - a >= PAUSE_S_MIN]
        if not found:
            raise LabError("the copy was never interrupted")
        return found

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._watcher.join(COMES_S)
        self._process.stdout.close()
        self.target.unlink(missing_ok=True)


class Shell:
    """An ssh from the laptop to a terminal at the camera."""

    def __init__(self, laptop: Host, address: str = CAMERA) -> None:
        self._process = laptop.popen(
            *("ssh", "-tt", "-F", laptop.directory / "ssh_config", address, REMOTE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._said = b""
        try:
            until("the login by ssh", lambda: self._read(1) and b"ready\r\n" in self._said, every=0)
        except LabError:
            self.stop()
            raise

    def _read(self, seconds: float) -> bytes:
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return b""
        data = os.read(self._process.stdout.fileno(), 4096)
        if not data:
            raise LabError(f"ssh has ended: {self._said!r}")
        self._said += data
        return data

    def press(self, key: str = "x") -> None:
        os.write(self._process.stdin.fileno(), key.encode())

    def wait_echo(self, key: str = "x", seconds: float = ECHO_S_MAX) -> float:
        """When (time.monotonic()) the echo of this key came. It must be the only one that is on its way."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if key.encode() in self._read(max(0.0, deadline - time.monotonic())):
                return time.monotonic()
        raise LabError(f"no echo of a key within {seconds:g} s")

    def echo_s(self, seconds: float = ECHO_S_MAX) -> float:
        """Presses a key: seconds until its echo."""
        pressed = time.monotonic()
        self.press()
        return self.wait_echo(seconds=seconds) - pressed

    @property
    def is_alive(self) -> bool:
        return is_alive(self._process.pid)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
