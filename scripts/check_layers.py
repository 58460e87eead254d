#!/usr/bin/env python3
"""Checks that every #include follows the arrows of docs/ARCHITECTURE.md ("Layers").

usage: check_layers.py [--self-test]

Prints one line per offence, `FILE:LINE: what is wrong`, and exits 1 when there is one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]

# Folder -> layers it may include, besides itself. "io/asio.hpp" alone: only that header of io.
MAY_INCLUDE = {
    "libtunnel/base": set(),
    "libtunnel/wire": {"base"},
    "libtunnel/provision": {"base", "wire"},
    "libtunnel/core": {"base", "wire"},
    "libtunnel/crypto": {"base", "wire"},
    "libtunnel/net": {"base"},
    "libtunnel/io": {"base", "wire", "core", "crypto"},
    "libtunnel/bus": {"base", "io/asio.hpp"},
    "rdv-server": {"base", "wire", "provision", "core", "crypto", "io", "bus", "dbus"},
    "tundev": {"base", "io/asio.hpp"},
    "tundev/dial": {"base", "crypto", "tundev"},
    "tundev/agent": {"base", "wire", "core", "crypto", "io", "bus", "dbus", "tundev", "tundev/dial"},
    "tundev/netd": {"base", "net", "bus", "dbus", "tundev", "io/asio.hpp", "io/stop_signal.hpp"},
    "tundev/firstboot": {"base", "provision", "tundev"},
    "tundev/cli": {"base", "wire", "provision", "dbus", "tundev", "tundev/firstboot"},
}

PURE = {"libtunnel/wire", "libtunnel/provision", "libtunnel/core"}  # given bytes, events and the time; they answer what to do
NOT_PURE = re.compile(
    r"sys/(socket|epoll|time|un|ioctl|stat)\.h|netinet/.*|arpa/.*|net/if\.h|linux/.*|unistd\.h|fcntl\.h|poll\.h|time\.h|"
    r"thread|mutex|shared_mutex|condition_variable|future|atomic|stop_token|iostream|fstream|cstdio|ctime|random|"
    r"boost/asio.*|openssl/.*|spdlog/.*|sdbus-c\+\+/.*|systemd/.*|base/(log|unique_fd|files)\.hpp"
)
READS_CLOCK = re.compile(r"\b(?:Clock|\w+_clock)::now\s*\(|\bclock_gettime\s*\(|\bstd::time\s*\(")

# What is slow to compile, or what only one layer is to know: header -> the folders that may include it.
CONFINED = {
    re.compile(r"sdbus-c\+\+/"): {"libtunnel/bus", "rdv-server", "tundev/agent", "tundev/netd", "tundev/cli"},
    re.compile(r"openssl/"): {"libtunnel/crypto", "libtunnel/io", "rdv-server", "tundev/agent"},
    re.compile(r"(netlink|nftables|linux/(rtnetlink|netfilter))"): {"libtunnel/net"},
    re.compile(r"toml\+\+/"): {"libtunnel/provision", "rdv-server", "tundev"},
    re.compile(r"(sqlite3\.h|SQLiteCpp/)"): {"rdv-server"},
    re.compile(r"rdv\.pb\.h"): {"libtunnel/wire"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LAYERS = {"base", "wire", "provision", "core", "crypto", "io", "net", "bus"}
LOCAL = {"agent": "tundev/agent", "dial": "tundev/dial", "firstboot": "tundev/firstboot", "netd": "tundev/netd", "cli": "tundev/cli", "rdv-server": "rdv-server"}


def folder_of(path: Path) -> str:
    """The most specific folder of MAY_INCLUDE that holds this file; "" for the rest of the tree."""
    parts = path.parts
    for depth in (2, 1):
        if (folder := "/".join(parts[:depth])) in MAY_INCLUDE and len(parts) > depth:
            return folder
    return ""


def layer_of(header: str, folder: str) -> str:
    """Which layer a quoted header belongs to; "" for one of the same folder (or of no layer)."""
    first = header.split("/")[0]
    if folder == "rdv-server" and (REPO / folder / header).exists():
        return ""
    if first in LAYERS:
        return first
    if header.startswith("org.rdv."):
        return "dbus"
    if first in LOCAL:
        return "" if LOCAL[first] == folder else LOCAL[first]
    if folder.startswith("tundev/") and "/" not in header and (REPO / "tundev" / header).exists():
        return "tundev"
    return ""


def why_not(folder: str, bracket: str, header: str) -> str:
    """Why this folder may not include this header; "" when it may."""
    own = folder.removeprefix("libtunnel/")
    if bracket == '"':
        layer = layer_of(header, folder)
        allowed = MAY_INCLUDE[folder]
        if layer and layer != own and layer not in allowed and header not in allowed:
            return f"{folder} may not include {layer}"
    if folder in PURE and NOT_PURE.fullmatch(header):
        return f"{folder} is pure: no socket, clock, log or thread"
    for pattern, folders in CONFINED.items():
        if pattern.match(header) and folder not in folders:
            return f"only {', '.join(sorted(folders))} may include {header}"
    return ""


def offences(path: Path, text: str) -> list[str]:
    """Everything wrong with one file; `path` is relative to the repository."""
    folder = folder_of(path)
    if not folder:
        return []
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := INCLUDE.match(line):
            if reason := why_not(folder, *match.groups()):
                found.append(f"{path}:{number}: {match.group(2)}: {reason}")
        elif folder in PURE and READS_CLOCK.search(line.split("//")[0]):
            found.append(f"{path}:{number}: {folder} is pure: the time comes in as an argument")
    return found


def self_test() -> int:
    """The rules hold for what they were written for."""
    wrong = [
        ("libtunnel/wire/a.hpp", '#include "core/keepalive.hpp"'),
        ("libtunnel/core/a.hpp", "#include <thread>"),
        ("libtunnel/core/a.cpp", '#include "base/log.hpp"'),
        ("libtunnel/core/a.cpp", "  const auto now = Clock::now();"),
        ("libtunnel/bus/a.cpp", '#include "io/frame_stream.hpp"'),
        ("libtunnel/net/a.cpp", '#include "wire/frame.hpp"'),
        ("rdv-server/a.cpp", '#include "net/netlink.hpp"'),
        ("tundev/agent/a.cpp", '#include "net/netlink.hpp"'),
        ("tundev/agent/a.cpp", '#include "netd/netd.hpp"'),
        ("tundev/netd/a.cpp", '#include "wire/frame.hpp"'),
        ("tundev/cli/a.cpp", "#include <openssl/ssl.h>"),
    ]
    right = [
        ("libtunnel/bus/a.cpp", '#include "io/asio.hpp"'),
        ("libtunnel/core/a.hpp", '#include "base/clock.hpp"'),
        ("libtunnel/core/a.cpp", "// nobody calls Clock::now() here"),
        ("rdv-server/a.cpp", '#include "registry.hpp"'),
        ("tundev/netd/a.cpp", '#include "netd/dnsmasq.hpp"'),
        ("tests/unit/core/a.cpp", '#include "net/netlink.hpp"'),
    ]
    failed = [f"not found: {f}: {line}" for f, line in wrong if not offences(Path(f), line)]
    failed += [f"found: {f}: {line}" for f, line in right if offences(Path(f), line)]
    print("\n".join(failed), end="\n" if failed else "")
    return 1 if failed else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = []
    for top in ("libtunnel", "rdv-server", "tundev"):
        for path in sorted((REPO / top).rglob("*.[ch]pp")):
            found += offences(path.relative_to(REPO), path.read_text())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
