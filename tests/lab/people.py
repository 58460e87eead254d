"""The users and groups the daemons run as, and sshd's directory; made when missing, and removed again if made here."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .process import run

GROUPS = ["rdv-admin", "rdv-operator"]
DAEMON_USERS = ["rdv", "rdv-tundev", "rdv-netd"]
PERSON = "rdvlab"  # who types the commands: in both groups; also the login on the customer's hosts
OUTSIDER = "nobody"  # in none of the groups
SSHD_DIR = Path("/run/sshd")  # sshd refuses to start without it, and later every login


# udev leaves /dev/net/tun at 0666, a container often at 0600: the host gets a node of its own as udev makes it. `ip netns exec`
# has given it a mount namespace, so nobody else sees it.
TUN_NODE = [
    "sh",
    "-c",
    "dir=$(mktemp -d) && mknod $dir/tun c 10 200 && chmod 666 $dir/tun && mount --bind $dir/tun /dev/net/tun"
    ' && rm -r $dir && exec "$0" "$@"',
]


@dataclass(frozen=True)
class Privileges:
    """As whom a program runs, and with which capabilities; everything else is taken from it."""

    user: str
    capabilities: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """The setpriv(1) prefix that makes it so; one that may make network devices also finds /dev/net/tun."""
        caps = ",".join(["-all", *(f"+{c}" for c in self.capabilities)])
        return [
            *(TUN_NODE if "net_admin" in self.capabilities else []),
            "setpriv",
            f"--reuid={self.user}",
            f"--regid={pwd.getpwnam(self.user).pw_gid}",
            "--init-groups",
            f"--inh-caps={caps}",
            f"--ambient-caps={caps}",
            f"--bounding-set={caps}",
            "--no-new-privs",
        ]


SERVER = Privileges("rdv", ("net_bind_service",))
AGENT = Privileges("rdv-tundev")
NETD = Privileges("rdv-netd", ("net_admin", "net_raw", "net_bind_service"))
OPERATOR = Privileges(PERSON)
STRANGER = Privileges(OUTSIDER)


def _has(lookup, name: str) -> bool:
    try:
        lookup(name)
    except KeyError:
        return False
    return True


@contextmanager
def _alone(made_file: Path) -> Iterator[None]:
    """Labs come and go beside each other: nobody may look while another one is half-way through making or removing."""
    directory = os.open(made_file.parents[1], os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def add(made_file: Path) -> None:
    """Makes what is missing and notes it in `made_file`: `user NAME`, `group NAME` or `directory PATH` in each line."""
    with _alone(made_file), made_file.open("a") as made:
        if not SSHD_DIR.exists():
            SSHD_DIR.mkdir(mode=0o755)
            made.write(f"directory {SSHD_DIR}\n")
        for group in GROUPS:
            if not _has(grp.getgrnam, group):
                run(["groupadd", "--system", group])
                made.write(f"group {group}\n")
        for user in [*DAEMON_USERS, PERSON]:
            if _has(pwd.getpwnam, user):
                continue
            # "*": no password ever matches, but sshd does not take the account for a locked one.
            options = ["--system", "--user-group", "--no-create-home", "--password", "*"]
            if user == PERSON:
                # "/" outlives every lab: the person is that of all of them, and writes into a lab's inbox.
                options += ["--shell", "/bin/sh", "--home-dir", "/", "--groups", ",".join(GROUPS)]
            else:
                options += ["--shell", "/usr/sbin/nologin", "--home-dir", "/nonexistent"]
            run(["useradd", *options, user])
            made.write(f"user {user}\n")


def remove(made_file: Path) -> None:
    """Removes what add() made; users first, because their own groups go with them.

    Another lab that is up needs the same people: it is given the list, and removes them when it goes.
    """
    with _alone(made_file):
        _remove(made_file)


def _remove(made_file: Path) -> None:
    if not made_file.exists():
        return
    made = made_file.read_text()
    made_file.unlink()
    if heirs := list(made_file.parents[1].glob(f"*/{made_file.name}")):
        with heirs[0].open("a") as heir:
            heir.write(made)
        return
    entries = [line.split() for line in made.splitlines()]
    for kind, command in (("user", "userdel"), ("group", "groupdel"), ("directory", "rmdir")):
        for name in [n for k, n in entries if k == kind]:
            run([command, name], check=False)
