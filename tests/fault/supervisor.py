"""What systemd does for a service of Type=notify with WatchdogSec= and Restart=always, for one daemon of the lab."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

from lab.host import Host
from lab.lab import Lab
from lab.daemons import BUS_NAMES, PRIVILEGES
from lab.process import is_alive

RESTART_AFTER = 0.1  # s, RestartSec=
STALL_S_MIN = 0.2  # it looks around far more often


class Supervisor:
    """Starts `daemon` on `host` and starts it again whenever it ends or gives no sign of life; use it in a `with`.

    Leaving it leaves the daemon running, unwatched, as the lab would have started it.
    """

    def __init__(
        self,
        lab: Lab,
        host: str,
        daemon: str,
        watchdog_seconds: float = 0,
        listening: socket.socket | None = None,
        **environment: str,
    ) -> None:
        """`listening`: handed over at each start, as a .socket unit does (sd_listen_fds(3)); it stays the caller's."""
        self.host: Host = lab[host]
        self.daemon = daemon
        self.process = self.host.background(daemon)
        self.watchdog_seconds = watchdog_seconds
        self.environment = environment
        self.listening = listening
        self.heard: list[tuple[float, str]] = []  # when (time.monotonic()), line
        self.restarts: list[tuple[float, str]] = []  # when, why
        self._stop = threading.Event()
        self._path = self.host.directory / f"{daemon}.notify"
        self._alive_at = 0.0

    # --- what a test does -------------------------------------------------------------------------------------------

    def __enter__(self) -> Supervisor:
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        os.chmod(self._path, 0o666)
        self._socket.settimeout(0.02)
        self.process.stop()
        self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        self.host.wait_bus_name(BUS_NAMES[self.daemon], self.process)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watcher.join()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self, since: float = 0) -> list[str]:
        """The lines it sent since then (time.monotonic())."""
        return [line for when, line in list(self.heard) if when >= since]

    @property
    def status(self) -> str:
        """The last STATUS= line, without that word."""
        lines = [line for line in self.said() if line.startswith("STATUS=")]
        return lines[-1].removeprefix("STATUS=") if lines else ""

    # --- what systemd does ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        config = "server.toml" if self.daemon == "rdv-server" else "device.toml"
        environment = self.host.environment() | self.environment | {"NOTIFY_SOCKET": str(self._path)}
        if self.watchdog_seconds:
            environment["WATCHDOG_USEC"] = str(int(self.watchdog_seconds * 1e6))
        argv = self.host.command(
            [self.daemon, "--config", str(self.host.directory / config)], PRIVILEGES[self.daemon]
        )
        self._alive_at = 0.0
        if not self.listening:
            self.process.start(argv, environment)
            return
        fd = self.listening.fileno()
        hand_over = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&{fd}'
        self.process.start(["sh", "-c", hand_over, *argv], environment, (fd,))

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stop.is_set():
            while self._listen():
                pass
            now = time.monotonic()
            if self._alive_at and (stalled := now - looked - STALL_S_MIN) > 0:
                self._alive_at += stalled  # while the machine stood still nobody could give a sign
            looked = now
            if not self.process.pid:
                self._restart("it ended")
            elif self.watchdog_seconds and self._alive_at and now - self._alive_at > self.watchdog_seconds:
                pid = self.process.pid
                # systemd sends SIGABRT and, TimeoutAbortSec= later, SIGKILL; a stopped process takes only the latter.
                self.process.signal(signal.SIGABRT)
                self.process.signal(signal.SIGKILL)
                while is_alive(pid):
                    time.sleep(0.005)
                self._restart("no sign of life")

    def _listen(self) -> bool:
        """Takes one message; False when there is none."""
        try:
            text = self._socket.recv(4096).decode()
        except TimeoutError:
            return False
        now = time.monotonic()
        for line in text.splitlines():
            self.heard.append((now, line))
            # The timeout runs from READY=1 on.
            if line in ("WATCHDOG=1", "READY=1"):
                self._alive_at = now
        return True

    def _restart(self, why: str) -> None:
        self.restarts.append((time.monotonic(), why))
        if self._stop.wait(RESTART_AFTER):
            return
        self._start()
