"""One real session in a lab that is up, shown to a person: what the laptop reaches, and how long it took."""

from __future__ import annotations

import re
import subprocess
import sys

from . import laptop
from .lab import Lab
from .process import LabError
from .session import Session
from .topology import CAMERA, DEVICE_LAN


class Demo:
    """Runs what an engineer would run on the laptop and prints a line for each."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.laptop = lab["laptop"]
        self.failed = 0

    def line(self, what: str, ok: bool, text: str) -> None:
        self.failed += not ok
        print(f"  {'ok  ' if ok else 'FAIL'}  {what:<34} {text}", flush=True)

    def step(self, what: str, argv: list[str], pattern: str, show: str = "{0}") -> None:
        """One command on the laptop: it must succeed and print `pattern`, whose groups fill `show`."""
        try:
            done = self.laptop.run(*argv, check=False, seconds=30)
        except subprocess.TimeoutExpired:
            self.line(what, False, "nothing came back for 30 s")
            return
        said = done.stdout + done.stderr
        found = re.search(pattern, said)
        ok = done.returncode == 0 and found is not None
        last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
        self.line(what, ok, show.format(found.group(0), *found.groups()) if found else last)

    def unreachable(self, when: str) -> None:
        done = self.laptop.run("ping", "-c1", "-W2", CAMERA, check=False)
        refused = "nreachable" in done.stdout and " 0 received" in done.stdout
        self.line(f"camera {when} the session", refused, "ICMP unreachable" if refused else done.stdout)

    def reach(self) -> None:
        ssh = ["-F", self.laptop.directory / "ssh_config"]
        self.step("ping camera", ["ping", "-c3", "-i0.2", CAMERA], r"rtt .* = [\d.]+/([\d.]+)/", "{1} ms")
        self.step("web page of the camera", ["curl", "-sS", "-m10", f"http://{CAMERA}/"], r"<title>(.*)</title>", "{1}")
        self.step(
            "the same by its name", ["curl", "-sS", "-m10", "http://camera.customer.lan/"], r"<h1>(.*)</h1>",
            "camera.customer.lan is {1}",
        )
        self.step("customer's name server", ["dig", "+short", "+time=3", "TXT", "who.lan"], r'"(.*)"', "{1} answered")
        self.step("ssh to the camera", ["ssh", *ssh, CAMERA, "ip netns identify"], r"\w+-camera")
        self.step("ssh to the onsite itself", ["ssh", *ssh, DEVICE_LAN, "ip netns identify"], r"\w+-onsite")
        page = self.laptop.directory / "upload"
        page.write_bytes(bytes(1 << 20))
        self.step("scp 1 MiB to the camera", ["scp", *ssh, page, f"{CAMERA}:{self.lab.inbox}"], r"^", "done")
        self.step(
            "packet of 1500 bytes, DF", ["ping", "-c1", "-W3", "-Mdo", "-s1472", CAMERA], r"1480 bytes from \S+"
        )
        self.step("traceroute", ["traceroute", "-n", "-w1", CAMERA], r"(?s)\n (.*)", "see below")
        self.step("iperf3 from the camera", [*self.iperf(), "-R"], r"([\d.]+ [GM]bits/sec).*receiver", "{1}")
        self.step("iperf3 to the camera", self.iperf(), r"([\d.]+ [GM]bits/sec).*receiver", "{1}")
        self.step("iperf3 UDP 20 Mbit/s", [*self.iperf(), "-u", "-b20M"], r"\(([\d.]+%)\)\s+receiver", "{1} lost")
        print("\n" + self.laptop.run("traceroute", "-n", "-w1", CAMERA).stdout)

    def iperf(self) -> list[str]:
        return ["iperf3", "-c", CAMERA, "-t2", "--connect-timeout", "5000"]

    def run(self) -> int:
        lease = laptop.wait_lease(self.laptop)
        print(f"laptop: {lease['ip']}/{lease['mask']} by DHCP, router {lease['router']}, DNS {lease['dns']}\n")
        print(self.lab["master"].run("masterdev", "-l").stdout)
        self.unreachable("before")
        with Session(self.lab["master"], "rpi1100") as session:
            session.wait_established()
            print("\n$ masterdev -o rpi1100\n" + session.output)
            self.reach()
            session.press_ctrl_c()
            code = session.wait_end()
            print("^C\n" + session.output.split("^C")[-1].strip() + "\n")
        self.line("masterdev's exit code", code == 0, str(code))
        self.unreachable("after")
        print(f"\nfrom `masterdev -o` to the first echo through the whole path: {session.established_after:.3f} s")
        return 1 if self.failed else 0


def main() -> int:
    try:
        return Demo(Lab()).run()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
