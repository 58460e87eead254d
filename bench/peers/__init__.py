"""What RDV is compared with: other ways from the laptop to the camera, beside a session and in the same lab.

Each peer is set up as its manual says, both devices dialling out to the `rdv` host, which relays. They stand all at once
and idle while another one is measured; ports and tunnels differ, hosts and cables do not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.lab import Lab

from .ocserv import Ocserv
from .oldstack import OldStack
from .openvpn import OpenVpn
from .peer import Peer
from .sshfwd import SshForward
from .tinc import Tinc
from .wireguard import WireGuard

# The best of what was tried (docs/PERFORMANCE.md, "OpenVPN's best tuning").
TUNED = {"both": ("tun-mtu 9000", "data-ciphers AES-128-GCM"), "server": ("tcp-nodelay",), "queue": 1000}


MAKERS: dict[str, Callable[[Lab, str, int], Peer]] = {
    "openvpn": OpenVpn,
    "openvpn-tuned": partial(OpenVpn, **TUNED),
    "oldstack": OldStack,
    "sshfwd": SshForward,
    "ocserv": Ocserv,
    "tinc": Tinc,
    "wireguard-go": WireGuard,
}
NAMES = tuple(MAKERS)
FIRST_NUMBER = 2  # 1 is the plain path's


def install() -> None:
    """Installs their packages; nothing when they are there."""
    subprocess.run([Path(__file__).with_name("install")], stdout=sys.stderr, check=True)


def all_of(lab: Lab) -> list[Peer]:
    """Each with a number of its own (aliases.py)."""
    return [maker(lab, name, number) for number, (name, maker) in enumerate(MAKERS.items(), FIRST_NUMBER)]
