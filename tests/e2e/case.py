"""What every end-to-end test starts from: the lab up, everybody online, nobody in a session, laptops plugged in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import unittest
import uuid

from lab import laptop as laptops
from lab.daemons import device_name
from lab.host import Host
from lab.lab import Lab
from lab.people import OPERATOR
from lab.process import COMES_S, LabError, tail, until
from lab.session import Session
from lab.topology import CAMERA
from stalls import stalls

ASK_AGAIN = ("--retry", "99", "--retry-all-errors", "--retry-delay", "1", "--retry-max-time")  # and for how many seconds
_marks: dict[str, int] = {}  # "host daemon" -> length of its log when the running test began


def _daemons(lab: Lab) -> list[tuple[Host, str]]:
    found = [(lab["rdv"], "rdv-server")]
    for device in lab.daemons.devices:
        found += [(lab[device], "tundev-netd"), (lab[device], "tundev-agent")]
    return found


def failure_logs() -> str:
    """What the daemons logged since the running test began, the last lines of each."""
    text = ""
    for host, daemon in _daemons(Lab("two")):
        log = host.background(daemon).log[_marks.get(f"{host.name} {daemon}", 0) :]
        if log.strip():
            text += f"\n{daemon} on {host.name}:\n{tail(log, 12)}"
    return text


class LabCase(unittest.TestCase):
    """A test in the lab `two`. Every test finds it whole, and may break what it likes."""

    lab: Lab

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = Lab("two")
        cls.laptop, cls.master, cls.onsite, cls.camera = (
            cls.lab[name] for name in ("laptop", "master", "onsite", "camera")
        )
        cls.rdv = cls.lab["rdv"]

    def count_stalls(self) -> None:
        """From here on stalls of the machine count as those of this test."""
        stalls()
        self.began = time.monotonic()

    def setUp(self) -> None:
        self.count_stalls()
        for host, daemon in _daemons(self.lab):
            _marks[f"{host.name} {daemon}"] = len(host.background(daemon).log)
        heal(self.lab)

    # --- what a test does -------------------------------------------------------------------------------------------

    def session(self, onsite: str = "rpi1100", *options: str, master: str = "master") -> Session:
        """masterdev -o ONSITE on a master's terminal; use it in a `with`."""
        return Session(self.lab[master], onsite, *options)

    def open_session(self, onsite: str = "rpi1100", *options: str, master: str = "master") -> Session:
        """A session that is established and ends with the test at the latest."""
        session = self.session(onsite, *options, master=master)
        self.addCleanup(session.__exit__)
        return session.wait_established()

    def masterdev(self, *argv: str, master: str = "master", check: bool = True) -> subprocess.CompletedProcess:
        return self.lab[master].run("masterdev", *argv, privileges=OPERATOR, check=check)

    def fetch(self, url: str = f"http://{CAMERA}/", laptop: str = "laptop", seconds: int = COMES_S) -> str:
        """A page as the laptop's browser gets it, asked for again until it comes; LabError when it does not."""
        patience = ("--max-time", seconds, *ASK_AGAIN, seconds)
        return self.lab[laptop].run("curl", "-sS", *patience, url, seconds=2 * seconds + 10).stdout

    def ping(self, host: str, *options: str, count: int = 1, address: str = CAMERA) -> str:
        """What ping says, which goes on until `count` echoes have come; LabError when they do not."""
        return self.lab[host].run("ping", "-n", f"-c{count}", f"-w{COMES_S}", *options, address).stdout

    def pinging(self, count: int, laptop: str = "laptop") -> subprocess.Popen:
        """Pings the camera 50 times a second until `count` echoes have come, for assert_no_echo_lost()."""
        argv = ("ping", "-n", "-i0.02", f"-c{count}", f"-w{COMES_S}", CAMERA)
        return self.lab[laptop].popen(*argv, stdout=subprocess.PIPE, text=True)

    def ssh(self, address: str, command: str, laptop: str = "laptop", stdin: str | None = None) -> str:
        host = self.lab[laptop]
        return host.run("ssh", "-F", host.directory / "ssh_config", address, command, stdin=stdin).stdout

    def rdvctl(self, *argv: str) -> str:
        return self.lab.daemons.rdvctl(*argv)

    def sessions(self) -> list[dict]:
        """The sessions as the server lists them."""
        answer = json.loads(self.rdvctl("session", "list", "--json"))
        return answer["sessions"] if isinstance(answer, dict) else answer

    def enrol_again(self, host: str, name: str) -> None:
        """Registers and enrols an onsite anew, as after a repair: one that was revoked stays so."""
        self.rdvctl("device", "remove", name)
        self.lab[host].background("tundev-agent").stop()
        state = self.lab[host].directory / "state"
        for file in state.iterdir():
            file.unlink()
        self.lab.daemons.start_device(host)
        self.lab.daemons.enrol(host)

    # --- what a test asserts ----------------------------------------------------------------------------------------

    def assert_unreachable(self, address: str = CAMERA, laptop: str = "laptop") -> None:
        """The laptop is told by ICMP that it cannot get there: no silence, no answer.

        Linux answers one host with an ICMP error about once a second (icmp(7), icmp_ratelimit), and the retransmissions
        of connections that an earlier session left behind take their share: the answer may be a later ping's.
        """

        def is_told() -> bool:
            said = self.lab[laptop].run("ping", "-n", "-c4", "-i0.5", "-W1", address, check=False).stdout
            self.assertIn(" 0 received", said)
            return re.search(r"(?i)unreachable|prohibited", said) is not None

        until(f"an ICMP error for a ping to {address} on {laptop}", is_told, 30)

    def assert_no_echo_lost(self, said: str, count: int) -> None:
        """Each of the first `count` pings was answered, once, however late. What ping sums up counts the last as lost
        that are on their way."""
        answered = [int(number) for number in re.findall(r"bytes from .* icmp_seq=(\d+) ", said)]
        self.assertEqual(sorted(n for n in answered if n <= count), list(range(1, count + 1)), said)

    def assert_within(self, measured_s: float, limit_s: float, what: object = None) -> None:
        """A time within this test is no longer than it may be; while the machine stood still, it does not count."""
        self.assertLess(measured_s, limit_s + stalls().since(self.began), what)

    def assert_reaches_camera(self, laptop: str = "laptop", camera: str = "camera") -> None:
        self.assertIn(f"<title>{camera}: live picture</title>", self.fetch(laptop=laptop))

    def assert_ends(self, session: Session, code: int, *words: str, seconds: float = COMES_S) -> None:
        """masterdev ends by itself with this exit code and says these words (regular expressions)."""
        got = session.wait_end(seconds)
        for word in words:
            self.assertRegex(session.output, f"(?is){word}")
        self.assertEqual(got, code, session.output)


class SpareDeviceCase(LabCase):
    """A device that runs and is not enrolled: `self.spare`, as new in every test; and a name for it."""

    def setUp(self) -> None:
        super().setUp()
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.spare = self.lab["camera"]  # this host plays it
        self.lab.daemons.start_device(self.spare.name)
        self.addCleanup(self.forget_spare)

    def forget_spare(self) -> None:
        for daemon in ("tundev-agent", "tundev-netd"):
            self.spare.background(daemon).stop()
        for name in ("state", "run"):
            shutil.rmtree(self.spare.directory / name, ignore_errors=True)


def heal(lab: Lab) -> None:
    """Brings the lab to where every test starts; cheap when it is there already."""
    for router in lab.topology.routers[1:]:
        lab.mend(router)
    if not lab["rdv"].background("rdv-server").pid:
        lab.daemons.start_server()
    for device in lab.daemons.devices:
        lab.daemons.start_device(device)
    for master in lab.topology.masters:
        lab.plug(master)
    lab.daemons.wait_online([device_name(device) for device in lab.daemons.devices])
    until("the end of the last test's sessions", lambda: not _open_sessions(lab), every=0.05)
    for master in lab.topology.masters:
        laptops.wait_lease(lab.laptop_of(master))


def _open_sessions(lab: Lab) -> bool:
    """True while a tunnel stands on any device, or the server knows a session."""
    for device in lab.daemons.devices:
        if re.search(r"^rdv\d", lab[device].run("ip", "-br", "link").stdout, re.MULTILINE):
            return True
    answer = json.loads(lab.daemons.rdvctl("session", "list", "--json"))
    return bool(answer["sessions"] if isinstance(answer, dict) else answer)


__all__ = ["LabCase", "LabError", "failure_logs", "heal"]
