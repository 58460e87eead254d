"""One host of the lab: a network namespace, a directory, a message bus, and commands run in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .people import Privileges
from .process import COMES_S, Background, LabError, run, until

REPO = Path(__file__).resolve().parents[2]
POLICIES = REPO / "dbus"
MESSAGE_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
{includes}
</busconfig>
"""


def build_dir() -> Path:
    """Where the programs are: $RDV_BUILD, or build/release."""
    return Path(os.environ.get("RDV_BUILD", REPO / "build" / "release")).resolve()


def program_dirs() -> list[Path]:
    build = build_dir()
    return [build / p for p in ("rdv-server", "tundev/agent", "tundev/netd", "tundev/cli")]


class Host:
    """A host by name. Holds no state of its own: everything is in the kernel and in `directory`."""

    def __init__(self, lab: str, name: str) -> None:
        self.name = name
        self.netns = f"{lab}-{name}"
        self.directory = Path("/run") / lab / name
        self.etc = Path("/etc/netns") / self.netns
        self.bus_socket = self.directory / "bus"

    def background(self, name: str) -> Background:
        return Background(name, self.directory)

    def command(self, argv: list[str], privileges: Privileges | None = None) -> list[str]:
        """`argv` as it must be given to exec(2) to run in this host, as root unless told otherwise."""
        prefix = privileges.command() if privileges else []
        return ["ip", "netns", "exec", self.netns, *prefix, *map(str, argv)]

    def environment(self) -> dict[str, str]:
        path = ":".join([*map(str, program_dirs()), "/usr/sbin:/usr/bin:/sbin:/bin"])
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/root"),
            "TERM": os.environ.get("TERM", "dumb"),
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.bus_socket}",
            "RDVLAB_HOST": self.name,
            "RDVLAB_DIR": str(self.directory),
        }

    def run(
        self,
        *argv: object,
        privileges: Privileges | None = None,
        stdin: str | None = None,
        check: bool = True,
        seconds: float = 60,
    ) -> subprocess.CompletedProcess:
        """Runs a command here to its end, its output as text in the answer.

        With `check` a failure is a LabError; `seconds` bounds it in any case (subprocess.TimeoutExpired).
        """
        done = subprocess.run(
            self.command(list(argv), privileges),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            text=True,
            errors="replace",
            capture_output=True,
            timeout=seconds,
            env=self.environment(),
        )
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}: {said}")
        return done

    def popen(self, *argv: object, privileges: Privileges | None = None, **options) -> subprocess.Popen:
        options.setdefault("env", self.environment())
        return subprocess.Popen(self.command(list(argv), privileges), **options)

    def start(self, name: str, *argv: object, privileges: Privileges | None = None) -> Background:
        """Starts a background process unless it runs already."""
        process = self.background(name)
        if not process.pid:
            process.start(self.command(list(argv), privileges), self.environment())
        return process

    def start_bus(self) -> None:
        """Its own message bus with the policies this repository ships, as /usr/share/dbus-1 has it."""
        if self.background("dbus-daemon").pid:
            return
        self.bus_socket.unlink(missing_ok=True)
        includes = "\n".join(
            f"  <include>{policy}</include>" for policy in sorted(POLICIES.glob("org.rdv.*.conf"))
        )
        config = self.directory / "bus.conf"
        config.write_text(MESSAGE_BUS.format(socket=self.bus_socket, includes=includes))
        self.start("dbus-daemon", "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile")

    def wait_bus(self) -> None:
        until(f"the message bus of {self.name}", self.bus_socket.exists)

    def has_bus_name(self, name: str) -> bool:
        answer = run(
            [
                "dbus-send",
                f"--bus=unix:path={self.bus_socket}",
                "--print-reply=literal",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.NameHasOwner",
                f"string:{name}",
            ],
            check=False,
        )
        return "true" in answer.stdout

    def wait_bus_name(self, name: str, process: Background, seconds: float = COMES_S) -> None:
        """Waits until `process` owns `name` on this host's bus; a process that ends is a LabError at once."""

        def owned() -> bool:
            if not process.pid:
                raise LabError(f"{self.name}: {process.name} has ended; it said:\n{process.log[-2000:]}")
            return self.has_bus_name(name)

        until(f"{name} on the bus of {self.name}", owned, seconds)

    def listens(self, port: int, udp: bool = False) -> bool:
        kind = "-Hlun" if udp else "-Hltn"
        return bool(self.run("ss", kind, f"sport = :{port}", check=False).stdout.strip())
