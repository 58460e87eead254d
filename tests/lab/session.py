"""An engineer at a terminal: a command, most often masterdev, on a real pseudo-terminal."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import threading
import time

from . import people
from .host import Host
from .people import Privileges
from .process import COMES_S, LabError, tail, until

ESTABLISHED = "established"
CTRL_C_AGAIN_S = 10.0


def _take_terminal() -> None:
    """In the child: standard input becomes its controlling terminal, so that Ctrl-C and a hang-up reach it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """One run of a command on a host. Use it in a `with`: leaving it ends the command, whatever happened.

    `output` has all it printed so far, on the terminal as a person sees it (both streams).
    """

    def __init__(self, host: Host, *argv: object, privileges: Privileges | None = None) -> None:
        self.command = str(argv[0])
        self.output = ""
        self._heard: list[tuple[int, float]] = []  # from which character of the output on, and when it came
        self.started = time.monotonic()
        self.established_after = 0.0
        self._terminal, slave = pty.openpty()
        self._process = host.popen(
            *argv,
            privileges=privileges,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self._hung_up, self._hang_up_now = os.pipe()  # wakes the reader
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder, held = codecs.getincrementaldecoder("utf-8")("replace"), ""  # a read may end anywhere
        while True:
            ready, _, _ = select.select([self._terminal, self._hung_up], [], [])
            if self._hung_up in ready:
                return
            try:
                data = os.read(self._terminal, 4096)
            except OSError:
                return  # the other end is closed, or we closed ours
            if not data:
                return
            text = held + decoder.decode(data)
            held = "\r" if text.endswith("\r") else ""
            self._heard.append((len(self.output), time.monotonic()))
            self.output += text[: len(text) - len(held)].replace("\r\n", "\n")
            if not self.established_after and ESTABLISHED in self.output:
                self.established_after = time.monotonic() - self.started

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        gives_up = time.monotonic() + COMES_S
        while self._process.poll() is None and time.monotonic() < gives_up:
            self.press_ctrl_c()  # one that comes before it has taken the terminal is not heard
            try:
                self._process.wait(CTRL_C_AGAIN_S)
            except subprocess.TimeoutExpired:
                pass
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._hang_up()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_established(self, seconds: float = COMES_S):
        self.wait_output(ESTABLISHED, seconds)
        return self

    def wait_output(self, text: str, seconds: float = COMES_S) -> None:
        """Waits until it has printed `text`; LabError with its words when it ends without."""

        def there() -> bool:
            ended = self._process.poll() is not None
            if ended:
                self._reader.join(COMES_S)
            if text in self.output:
                return True
            if ended:
                raise LabError(f"{self.command} ended with {self._process.returncode}:\n{tail(self.output)}")
            return False

        try:
            until(f"{text!r} from {self.command}", there, seconds, 0.005)
        except LabError as error:
            raise LabError(f"{error}; it said:\n{tail(self.output)}") from None

    def heard(self, pattern: str, offset: int = 0) -> tuple[float, int] | None:
        """When (time.monotonic) it said `pattern` for the first time behind `offset`, and where that ends; else None."""
        found = re.compile(pattern).search(self.output, offset)
        if not found:
            return None
        return [when for begin, when in list(self._heard) if begin < found.end()][-1], found.end()

    def wait_heard(self, pattern: str, offset: int = 0, seconds: float = COMES_S) -> tuple[float, int]:
        """Waits for what heard() answers; LabError with its words when it does not come, or it ends."""

        def there() -> tuple[float, int] | None:
            ended = self._process.poll() is not None
            if ended:
                self._reader.join(COMES_S)
            if not (answer := self.heard(pattern, offset)) and ended:
                raise LabError(f"{self.command} ended with {self._process.returncode}:\n{tail(self.output)}")
            return answer

        try:
            return until(f"{pattern!r} from {self.command}", there, seconds, 0.005)
        except LabError as error:
            raise LabError(f"{error}; it said:\n{tail(self.output)}") from None

    def wait_end(self, seconds: float = COMES_S) -> int:
        """Waits until it has ended by itself and answers its exit code (-SIGNAL when killed)."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.command} still runs; it said:\n{tail(self.output)}") from None
        self._reader.join(COMES_S)
        return code

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def press_ctrl_c(self) -> None:
        self.type("\x03")

    def close_terminal(self) -> None:
        """The window is closed, or the ssh connection is gone: SIGHUP, and nobody reads any more."""
        self._hang_up()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)

    def _hang_up(self) -> None:
        if self._terminal < 0:
            return
        # A reader inside read() would hold the terminal open, and nobody would be hung up on.
        os.write(self._hang_up_now, b".")
        self._reader.join()
        for fd in (self._terminal, self._hung_up, self._hang_up_now):
            os.close(fd)
        self._terminal = -1


class Masterdev(Terminal):
    """masterdev with these arguments, on a master."""

    def __init__(self, master: Host, *options: str) -> None:
        super().__init__(master, "masterdev", *options, privileges=people.OPERATOR)
        self.master = master

    @property
    def link(self) -> str:
        """The tunnel's link on the master, e.g. rdv0; LabError when there is none."""
        links = self.master.run("ip", "-br", "link").stdout
        if found := re.search(r"^(rdv\d+)\b", links, re.MULTILINE):
            return found.group(1)
        raise LabError(f"no tunnel on {self.master.name}:\n{links}")


class Session(Masterdev):
    """`masterdev -o ONSITE`: leaving the `with` ends the session."""

    def __init__(self, master: Host, onsite: str, *options: str) -> None:
        super().__init__(master, "-o", onsite, *options)
