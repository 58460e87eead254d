"""A machine of the lab: Debian 12 booted by systemd-nspawn in a host's network namespace, with the real systemd.

The units run as on any machine: their users, capabilities, namespaces and system call filters. What this kernel does not
let a container have is MemoryMax= and DeviceAllow= (the cgroup controllers belong to the machine around it), and udev.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from lab.host import Host
from lab.people import Privileges
from lab.process import LabError, is_alive, run, until

CGROUPS = [Path("/sys/fs/cgroup") / tree for tree in ("", "unified", "systemd")]
PERSON = "bob"  # an ordinary account of the machine
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine(Host):
    """A host of the lab whose commands run in the booted system, as root, or as PERSON when given privileges."""

    def __init__(self, host: Host, base: Path) -> None:
        super().__init__(host.netns.removesuffix(f"-{host.name}"), host.name)
        self.base = base
        self.disk = self.directory / "disk"
        self.root = self.disk / "root"
        self.leader = 0

    # --- power --------------------------------------------------------------------------------------------------------

    def boot(self, hosts: str = "") -> Machine:
        """Starts it and returns when systemd says that it runs. `hosts`: further lines of /etc/hosts."""
        if self.disk.exists():  # of a run that was killed
            self.power_off()
        self._mount()
        resolv_conf = self.etc / "resolv.conf"
        (self.root / "etc/resolv.conf").write_text(resolv_conf.read_text() if resolv_conf.exists() else "")
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n{hosts}")
        run(["chroot", str(self.root), "useradd", "--create-home", "--shell", "/bin/bash", PERSON])
        nspawn = self.background("nspawn")
        nspawn.start(["sh", "-c", f"{self._enter_cgroups()} exec \"$0\" \"$@\"", *self._nspawn()], self._nspawn_environment())
        self.leader = until(f"the first process of {self.name}", self._first_process)
        until(f"systemd on {self.name}", self._is_running, 120, 0.1)
        return self

    def power_off(self) -> None:
        """At once, as by pulling the plug; its disk is gone with it."""
        nspawn = self.background("nspawn")
        leader = self.leader or (self._first_process() if nspawn.pid else 0)
        if leader and is_alive(leader):
            os.kill(leader, signal.SIGKILL)
        try:
            until(f"the end of {self.name}", lambda: not nspawn.pid)
        except LabError:
            nspawn.kill()
        for mounted in (self.root, self.disk):
            run(["umount", "--lazy", str(mounted)], check=False)
        shutil.rmtree(self.disk, ignore_errors=True)
        for tree in CGROUPS:
            self._remove_cgroup(tree / self.netns)

    def _mount(self) -> None:
        """What is written goes to memory, so that dpkg need not wait for a disk."""
        self.disk.mkdir()
        run(["mount", "-t", "tmpfs", "-o", "mode=755,size=1g", "tmpfs", str(self.disk)])
        for part in ("root", "written", "work"):
            (self.disk / part).mkdir()
        layers = f"lowerdir={self.base},upperdir={self.disk}/written,workdir={self.disk}/work"
        run(["mount", "-t", "overlay", "-o", layers, "overlay", str(self.root)])

    def _enter_cgroups(self) -> str:
        """Every machine manages a part of the tree of its own."""
        trees = [tree for tree in CGROUPS if (tree / "cgroup.procs").exists()]
        return "".join(f"mkdir -p {t}/{self.netns} && echo $$ >{t}/{self.netns}/cgroup.procs && " for t in trees)

    @staticmethod
    def _remove_cgroup(top: Path) -> None:
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass  # something in it lives on for a moment: an empty folder is all that stays

    def _nspawn(self) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.netns}"),
            *("--register=no", "--keep-unit", "--console=read-only", "--link-journal=no", f"--hostname={self.name}"),
            *("--resolv-conf=off", "--timezone=off", "--capability=all", "--bind=/dev/net/tun"),
            f"--network-namespace-path=/run/netns/{self.netns}",
        ]

    def _nspawn_environment(self) -> dict[str, str]:
        # The network's kernel settings are the machine's own, as its namespace is.
        return {"PATH": PATH, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}

    def _first_process(self) -> int:
        pid = self.background("nspawn").pid
        if not pid:
            raise LabError(f"{self.name} did not boot:\n{self.background('nspawn').log[-3000:]}")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children and self._has_init(children[0]) else 0

    @staticmethod
    def _has_init(pid: str) -> bool:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"
        except OSError:
            return False

    def _is_running(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, argv: list[str], privileges: Privileges | None = None) -> list[str]:
        person = ["setpriv", f"--reuid={PERSON}", f"--regid={PERSON}", "--init-groups"] if privileges else []
        return ["nsenter", f"--target={self.leader}", "--all", "--root", "--wdns=/root", *person, *map(str, argv)]

    def environment(self) -> dict[str, str]:
        return {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}

    def shell(self, script: str, stdin: str = "", seconds: float = 120) -> str:
        """What a person's shell prints for these lines, both streams; the first that fails ends them with a LabError."""
        done = subprocess.run(
            self.command(["bash", "-e", "-c", script]),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            env=self.environment(),
        )
        if done.returncode != 0:
            raise LabError(f"{self.name}: exit {done.returncode} of\n{script}\n{done.stdout[-3000:]}{self.journal()}")
        return done.stdout

    def journal(self) -> str:
        """The last words of our units."""
        units = [f"--unit={unit}" for unit in ("rdv-server", "tundev-netd", "tundev-agent")]
        return self.run("journalctl", "--no-pager", "--quiet", "--lines=30", *units, check=False).stdout

    def put(self, *files: Path) -> None:
        """Copies files into root's home."""
        for file in files:
            shutil.copy(file, self.root / "root" / file.name)


__all__ = ["Machine"]
