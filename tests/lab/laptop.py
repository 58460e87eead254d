"""The engineer's laptop: its cable to the master, and its DHCP client. Nothing else is set on it."""

from __future__ import annotations

from pathlib import Path

from .host import Host
from .process import COMES_S, run, until
from .topology import LAPTOP_PORT

SCRIPT = Path(__file__).resolve().parent / "udhcpc.sh"


def has_link(host: Host, link: str) -> bool:
    return run(["ip", "-n", host.netns, "link", "show", link], check=False).returncode == 0


def plug(laptop: Host, master: Host, port: str = LAPTOP_PORT, link: str = "eth0") -> None:
    """Plugs a USB-Ethernet adapter into the master, with the laptop at its other end; twice is once.

    The master's end is left down and bare: what is to happen with it is the master's business.
    """
    if not has_link(master, port):
        index = int(port.lstrip("usb") or 0)
        mac = f"00:e0:4c:68:{len(master.name):02x}:{index:02x}"
        laptop_mac = f"00:1b:21:68:{len(laptop.name):02x}:{index:02x}"  # a laptop's own does not change
        run(
            ["ip", "link", "add", port, "netns", master.netns, "address", mac, "type", "veth"]
            + ["peer", "name", link, "netns", laptop.netns, "address", laptop_mac]
        )
        run(["ip", "-n", laptop.netns, "link", "set", link, "up"])
    ask_for_address(laptop, link)


def ask_for_address(laptop: Host, link: str = "eth0") -> None:
    """Starts its DHCP client on a cable, if it does not run."""
    laptop.start(
        f"udhcpc-{link}",
        *("udhcpc", "-f", "-i", link, "-s", SCRIPT),
        *("-t", "5", "-T", "1", "-A", "1", "-R"),
    )


def forget_address(laptop: Host, link: str = "eth0") -> None:
    """Ends it, and what it had got: the adapter is gone."""
    laptop.background(f"udhcpc-{link}").kill()
    if link == "eth0":  # a second adapter never had a lease
        (laptop.directory / "lease").unlink(missing_ok=True)
        (laptop.etc / "resolv.conf").write_text("")


def unplug(laptop: Host, master: Host, port: str = LAPTOP_PORT, link: str = "eth0") -> None:
    """Pulls the adapter out: the link is gone at both ends at once."""
    if has_link(master, port):
        run(["ip", "-n", master.netns, "link", "del", port])
    forget_address(laptop, link)


def lease(laptop: Host) -> dict[str, str]:
    """The lease as udhcpc.sh noted it; {} without one."""
    try:
        lines = (laptop.directory / "lease").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines)


def wait_lease(laptop: Host, seconds: float = COMES_S) -> dict[str, str]:
    return until(f"a DHCP lease on {laptop.name}", lambda: lease(laptop), seconds)
