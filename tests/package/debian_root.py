"""A bare Debian 12, made once with mmdebstrap and cached: what a machine has before RDV is installed on it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lab.host import REPO
from lab.process import LabError, run

CACHE = REPO / "build" / "package"
BARE = ["systemd-sysv", "dbus", "iproute2"]  # beside Essential and apt: what every Debian machine with a network has
DOWNLOAD = 'chroot "$1" sh -c "apt-get install --yes --download-only -o APT::Install-Recommends=true /tmp/*.deb"'


def packages(arch: str = "") -> list[Path]:
    """The packages of scripts/package, of this machine's architecture unless told otherwise."""
    arch = arch or run(["dpkg", "--print-architecture"]).stdout.strip()
    found = sorted((CACHE / arch).glob("*.deb"))
    if len(found) != 2:
        raise LabError(f"no packages in {CACHE / arch}: build them with scripts/package {arch}")
    return found


def cross_root(arch: str) -> Path:
    """The Debian in which scripts/package has cross-built for `arch`; its apt knows both architectures."""
    found = list((REPO / "build" / "root").glob(f"cross-{arch}-*"))
    if len(found) != 1:
        raise LabError(f"packages for {arch} were not cross-built here: do it with scripts/package {arch}")
    return found[0]


def needs() -> str:
    """What our packages depend on; with it changes the set of packages that is kept at hand."""
    return "".join(run(["dpkg-deb", "-f", str(deb), "Depends"]).stdout for deb in packages())


def bare_root() -> Path:
    """A directory with a bare Debian 12. Its apt has all that our packages depend on and recommend in its cache, since the
    lab has no way to Debian's servers; none of it is installed. Nobody may write into it."""
    debs = packages()
    options = ["--variant=minbase", f"--include={','.join(BARE)}", "--skip=cleanup/apt"]
    hooks = [f"copy-in {' '.join(map(str, debs))} /tmp", DOWNLOAD, 'rm "$1"/tmp/*.deb']
    # The last hook does nothing; it makes another directory of other needs.
    options += [f"--customize-hook={hook}" for hook in (*hooks, f": {hashlib.sha256(needs().encode()).hexdigest()}")]
    arch = run(["dpkg", "--print-architecture"]).stdout.strip()
    made = subprocess.run(
        [REPO / "scripts" / "debian-root", "package", arch, "main", *options], text=True, capture_output=True, timeout=600
    )
    if made.returncode != 0:
        raise LabError(f"scripts/debian-root failed:\n{made.stderr[-3000:]}")
    return Path(made.stdout.strip())
