"""The message bus: who may call what, what a caller at random can do, and the examples of docs/DBUS.md."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import xml.etree.ElementTree as tree
from dataclasses import dataclass

from case import LabCase

from lab.host import POLICIES, REPO, Host
from lab.people import AGENT, OPERATOR, STRANGER
from lab.process import until

INTERFACES = {"org.rdv.Server1": "rdv", "org.rdv.Device1": "master", "org.rdv.Netd1": "master"}
DAEMONS = {"org.rdv.Server1": "rdv-server", "org.rdv.Device1": "tundev-agent", "org.rdv.Netd1": "tundev-netd"}
FUZZ = REPO / "tests" / "support" / "bus_fuzz.py"
SECONDS = float(os.environ.get("RDV_BUS_FUZZ_SECONDS", "4"))
BLOCK = re.compile(r"^```(sh|python) (master|server)( watch| held)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Values for the arguments of a call that must be denied: what they are does not matter, but busctl wants some.
VALUES = {"s": ["x"], "t": ["1"], "b": ["true"], "as": ["0"], "ay": ["0"], "a{sv}": ["0"]}


@dataclass(frozen=True)
class Group:
    """Nobody, in one group only."""

    name: str

    def command(self) -> list[str]:
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", f"--groups={self.name}", "--no-new-privs"]


class Bus(LabCase):
    def busctl(self, host: Host, privileges, *argv: str) -> subprocess.CompletedProcess:
        return host.run("busctl", "--system", *argv, privileges=privileges, check=False)

    def call(self, interface: str, privileges, method: str, *argv: str) -> subprocess.CompletedProcess:
        where = (interface, "/" + interface.replace(".", "/"), interface)
        return self.busctl(self.lab[INTERFACES[interface]], privileges, "call", *where, method, *argv)

    def assert_denied(self, done: subprocess.CompletedProcess, what: str) -> None:
        self.assertNotEqual(done.returncode, 0, f"{what}: {done.stdout}")
        self.assertRegex(done.stderr, "Access denied|Rejected send message", what)


class AnUnprivilegedUser(Bus):
    def members(self, interface: str, kind: str) -> dict[str, tree.Element]:
        """By name, as the running daemon has them: the walk must not miss what only the XML lacks."""
        host = self.lab[INTERFACES[interface]]
        path = "/" + interface.replace(".", "/")
        shown = host.run("busctl", "--system", "introspect", "--xml-interface", interface, path).stdout
        node = next(n for n in tree.fromstring(shown).findall("interface") if n.get("name") == interface)
        found = {member.get("name"): member for member in node.findall(kind)}
        contract = tree.parse(POLICIES / f"{interface}.xml").getroot().find("interface")
        self.assertEqual(set(found), {member.get("name") for member in contract.findall(kind)})
        return found

    def test_is_denied_every_method(self) -> None:
        for interface in INTERFACES:
            for name, method in self.members(interface, "method").items():
                types = [a.get("type") for a in method.findall("arg") if a.get("direction") == "in"]
                if "h" in types:  # busctl sends no descriptor; the policy does not look at arguments
                    types = []
                values = [value for kind in types for value in VALUES[kind]]
                arguments = ["".join(types), *values] if types else []
                self.assert_denied(self.call(interface, STRANGER, name, *arguments), f"{interface}.{name}")

    def test_is_denied_every_property_and_what_every_object_has(self) -> None:
        for interface, where in INTERFACES.items():
            host, place = self.lab[where], (interface, "/" + interface.replace(".", "/"))
            for name in self.members(interface, "property"):
                done = self.busctl(host, STRANGER, "get-property", *place, interface, name)
                self.assert_denied(done, f"{interface} {name}")
            for owner, name, *arguments in (
                ("org.freedesktop.DBus.Properties", "GetAll", "s", interface),
                ("org.freedesktop.DBus.Properties", "Set", "ssv", interface, "Name", "s", "x"),
                ("org.freedesktop.DBus.Introspectable", "Introspect"),
                ("org.freedesktop.DBus.Peer", "Ping"),
                ("org.freedesktop.DBus.Peer", "GetMachineId"),
            ):
                self.assert_denied(self.busctl(host, STRANGER, "call", *place, owner, name, *arguments), f"{interface} {name}")

    def test_may_not_take_their_names(self) -> None:
        for interface, where in INTERFACES.items():
            done = self.busctl(
                self.lab[where],
                STRANGER,
                *("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"),
                *("RequestName", "su", interface, "2"),
            )
            self.assertNotEqual(done.returncode, 0, interface)
            self.assertRegex(done.stderr, "not allowed to own|Access denied", interface)

    def test_gets_no_signal_of_a_session(self) -> None:
        heard = {}
        for who, privileges in (("operator", OPERATOR), ("stranger", STRANGER)):
            argv = ("stdbuf", "-oL", "dbus-monitor", "--system", "type='signal'")
            heard[who] = self.master.start(f"monitor-{who}", *argv, privileges=privileges)
            self.addCleanup(heard[who].log_file.unlink)
            self.addCleanup(heard[who].kill)
            heard[who].wait_log("NameAcquired")
        with self.session() as session:
            session.wait_established()
        # What everybody hears, behind all that a session tells: so that silence before it means something.
        self.master.run("dbus-send", "--system", "--type=signal", "/", "test.Word.TheLast")
        for monitor in heard.values():
            monitor.wait_log("member=TheLast")
        self.assertIn("member=SessionChanged", heard["operator"].log)
        self.assertNotIn("org.rdv", re.sub(r'string "org\.rdv\.\w+"', "", heard["stranger"].log))


class TheRightGroup(Bus):
    def test_operators_may_what_masterdev_does_and_no_more(self) -> None:
        operator = Group("rdv-operator")
        self.assertIn("rpi1100", self.call("org.rdv.Device1", operator, "List").stdout)
        self.assertIn("usb0", self.call("org.rdv.Netd1", operator, "GetInterface").stdout)
        self.assert_denied(self.call("org.rdv.Netd1", operator, "SetRole", "s", "onsite"), "SetRole")
        self.assert_denied(self.call("org.rdv.Server1", operator, "ListDevices"), "ListDevices")

    def test_administrators_may_what_rdvctl_does_and_no_more(self) -> None:
        administrator = Group("rdv-admin")
        self.assertIn("rpi1100", self.call("org.rdv.Server1", administrator, "ListDevices").stdout)
        self.assert_denied(self.call("org.rdv.Device1", administrator, "List"), "List")

    def test_the_agent_may_call_netd_and_netd_not_the_agent(self) -> None:
        self.assertIn("usb0", self.call("org.rdv.Netd1", AGENT, "GetInterface").stdout)
        self.assertEqual(self.call("org.rdv.Netd1", AGENT, "SetRole", "s", "master").returncode, 0)
        self.assert_denied(self.call("org.rdv.Device1", AGENT, "List"), "the agent's user, to itself")


class CallsAtRandom(Bus):
    def fuzz(self, interface: str, privileges, expected: str, seconds: float) -> str:
        seed = os.environ.get("RDV_FAULT_SEED") or str(random.randrange(1 << 32))
        host = self.lab[INTERFACES[interface]]
        done = host.run(
            *("python3", FUZZ, interface, seconds, seed, expected), privileges=privileges, check=False, seconds=seconds + 60
        )
        self.assertEqual(done.returncode, 0, f"seed {seed}: {done.stdout}{done.stderr}")
        counts = json.loads(done.stdout)
        print(f"       {interface}: {sum(counts.values())} calls in {seconds:g} s, seed {seed}: {len(counts)} kinds of answer")
        return done.stdout

    def assert_all_live(self, pids: dict[str, int]) -> None:
        self.assertEqual(self.pids(), pids, "a daemon has died")
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()

    def pids(self) -> dict[str, int]:
        return {name: self.lab[host].background(DAEMONS[name]).pid for name, host in INTERFACES.items()}

    def test_of_an_unprivileged_user_are_denied_and_leave_the_daemons_alive(self) -> None:
        pids = self.pids()
        for interface in INTERFACES:
            self.fuzz(interface, STRANGER, "DENIED", SECONDS)
        self.assert_all_live(pids)

    def test_of_those_who_may_call_leave_the_daemons_alive(self) -> None:
        pids = self.pids()
        for interface, privileges in (
            ("org.rdv.Server1", OPERATOR),
            ("org.rdv.Device1", OPERATOR),
            ("org.rdv.Netd1", AGENT),
        ):
            self.assertIn("org.rdv.Error.", self.fuzz(interface, privileges, "ALLOWED", SECONDS))
        self.assertEqual(self.call("org.rdv.Netd1", AGENT, "SetRole", "s", "master").returncode, 0)
        self.lab.unplug()  # SetRole("") has taken the port away below a laptop, which does not ask for a lease again
        super().setUp()
        self.assert_all_live(pids)


class TheExamplesOfTheDocumentation(Bus):
    EXPECTED = {
        "get-property": '"master"',
        "Device1 List": '"rpi1100"',
        "GetInterface": '"usb0"',
        "Device1 Ports": '"usb0"',
        "import time": "established",
        "Server1 Status": '"version"',
    }

    def run_block(self, language: str, where: str, text: str) -> str:
        host = self.lab["rdv" if where == "server" else where]
        argv = ["bash", "-ec", text] if language == "sh" else ["python3", "-c", text]
        return host.run(*argv, privileges=OPERATOR).stdout

    def test_run_as_they_stand(self) -> None:
        blocks = BLOCK.findall((REPO / "docs" / "DBUS.md").read_text())
        seen = set()
        for language, where, how, text in blocks:
            if how == " watch":
                self.watch(text)
                continue
            held = self.open_session() if how else None
            said = self.run_block(language, where, text)
            if held:
                self.assert_ends(held, 0, "session closed: .*the maintenance window is over")
            for key, words in self.EXPECTED.items():
                if key in text:
                    seen.add(key)
                    self.assertIn(words, said, text)
        self.assertEqual(seen, set(self.EXPECTED))
        self.assertFalse(self.sessions())

    def watch(self, text: str) -> None:
        """Sees the laptop's adapter go and come."""
        log = self.master.directory / "watch"
        with log.open("w") as out:
            watcher = self.master.popen("bash", "-ec", f"exec stdbuf -oL {text}", privileges=OPERATOR, stdout=out)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.terminate)
        until("the watcher", lambda: "NameAcquired" in log.read_text())
        self.lab.unplug()
        until("InterfaceRemoved", lambda: "member=InterfaceRemoved" in log.read_text())
        self.lab.plug()
        until("InterfaceAdded", lambda: "member=InterfaceAdded" in log.read_text())
