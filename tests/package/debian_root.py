"""A bare Debian 12, made once with mmdebstrap and cached: what a machine has before RDV is installed on it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from lab.host import REPO
from lab.process import LabError, run

CACHE = REPO / "build" / "package"
BARE = ["systemd-sysv", "dbus", "iproute2"]  # beside Essential and apt: what every Debian machine with a network has
SUITE = "bookworm"


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


def sources() -> list[str]:
    """The apt sources of this machine that are Debian's."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    word = re.compile(rf"(^|\s){SUITE}(\s|$)", re.MULTILINE)
    found = [p for p in places if p.suffix in (".list", ".sources") and p.is_file() and word.search(p.read_text())]
    if not found:
        raise LabError(f"no apt source of this machine is Debian's {SUITE}")
    return [str(path) for path in found]


def apt_options() -> list[str]:
    """How this machine's apt gets there (a proxy, perhaps)."""
    dump = run(["apt-config", "dump"]).stdout
    return [f"--aptopt={line.rstrip(';')}" for line in dump.splitlines() if re.match(r"Acquire::https?::Proxy ", line)]


def needs() -> str:
    """What our packages depend on; with it changes the set of packages that is kept at hand."""
    return "".join(run(["dpkg-deb", "-f", str(deb), "Depends"]).stdout for deb in packages())


def bare_root() -> Path:
    """A directory with a bare Debian 12. Its apt has all that our packages depend on in its cache, since the lab has no
    way to Debian's servers; none of it is installed. Nobody may write into it."""
    key = hashlib.sha256("\n".join([*sources(), *BARE, needs(), Path(__file__).read_text()]).encode()).hexdigest()[:12]
    root = CACHE / f"root-{key}"
    if root.exists():
        return root
    for old in CACHE.glob("root-*"):
        shutil.rmtree(old)
    unfinished = CACHE / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    download = 'chroot "$1" sh -c "apt-get install --yes --download-only -o APT::Install-Recommends=true /tmp/*.deb"'  # with what they recommend
    made = subprocess.run(
        ["unshare", "--mount", "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(BARE)}"]
        + ["--skip=cleanup/apt", *apt_options()]
        + [f"--customize-hook=copy-in {' '.join(map(str, packages()))} /tmp"]
        + [f"--customize-hook={download}", '--customize-hook=rm "$1"/tmp/*.deb']
        + [SUITE, str(unfinished), *sources()],
        text=True,
        capture_output=True,
        timeout=600,
    )
    if made.returncode != 0:
        raise LabError(f"mmdebstrap failed:\n{made.stderr[-3000:]}")
    unfinished.rename(root)
    return root
