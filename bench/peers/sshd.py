"""An sshd for the peers that need one, and the ssh command that reaches it."""

from __future__ import annotations

from lab.people import PERSON

from .peer import Peer

SSHD = """Port {port}
ListenAddress {address}
HostKey {host_key}
AuthorizedKeysFile {keys}
AllowUsers {person}
StrictModes no
UsePAM no
PidFile none
MaxStartups 100:30:200
"""


def start(peer: Peer, address: str, port: int) -> None:
    """On the peer's server; the lab's person may log in and forward ports."""
    config = SSHD.format(
        port=port, address=address, host_key=peer.pki["ssh_host"], keys=peer.pki["authorized_keys"], person=PERSON
    )
    peer.background("server", "sshd", "/usr/sbin/sshd", "-D", "-e", "-f", peer.write("sshd_config", config))
    peer.wait_port("server", port)


def client(peer: Peer, address: str, port: int, *options: str) -> list[str]:
    """ssh that only forwards, and ends when it cannot."""
    settings = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ExitOnForwardFailure=yes")
    return [
        *("ssh", "-F", "/dev/null", "-N", "-i", peer.pki["ssh_user"], "-p", str(port)),
        *(word for setting in settings for word in ("-o", setting)),
        *options,
        f"{PERSON}@{address}",
    ]
