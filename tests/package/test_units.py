"""The services as systemd runs them: with whom, behind which filters, and what becomes of one that dies or hangs."""

from __future__ import annotations

import re
import time
import unittest

from machine import Machine
from world import world

from lab.process import until

UNITS = {"server": ["rdv-server"], "onsite": ["tundev-netd", "tundev-agent"], "master": ["tundev-netd", "tundev-agent"]}


class Services(unittest.TestCase):
    def setUp(self) -> None:
        world().install()
        world().wait_online()

    def pid(self, machine: Machine, unit: str) -> int:
        return int(machine.shell(f"systemctl show --property=MainPID --value {unit}"))

    def process(self, machine: Machine, unit: str) -> dict[str, str]:
        """/proc/PID/status of its main process, as the machine sees it."""
        text = machine.shell(f"cat /proc/{self.pid(machine, unit)}/status")
        return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


class TheyRun(Services):
    def test_as_users_of_their_own_with_a_system_call_filter_and_no_capability_but_netds(self) -> None:
        users = {"rdv-server": "rdv", "tundev-agent": "rdv-tundev", "tundev-netd": "rdv-netd"}
        netd = 1 << 12 | 1 << 13 | 1 << 10  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE: capability.h
        for name, units in UNITS.items():
            machine = world().machines[name]
            for unit in units:
                status = self.process(machine, unit)
                uid = machine.shell(f"id -u {users[unit]}").strip()
                self.assertEqual(status["Uid"].split(), [uid] * 4, unit)
                self.assertEqual(status["Seccomp"], "2", unit)
                self.assertEqual(status["NoNewPrivs"], "1", unit)
                for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
                    self.assertEqual(int(status[kind], 16), netd if unit == "tundev-netd" else 0, f"{unit} {kind}")

    def test_and_no_system_call_that_they_need_is_forbidden(self) -> None:
        """After a session and a restart of each: a call that is denied is one that fails with EPERM in the journal."""
        with world().session() as session:
            session.wait_established()
            self.assertIn("camera", world().fetch())
        for machine in world().machines.values():
            said = machine.shell("journalctl --no-pager -o cat -u 'rdv-*' -u 'tundev-*'")
            self.assertNotRegex(said, r"(?i)operation not permitted|permission denied|\berror\b.*(EPERM|EACCES)", said)

    def test_with_the_servers_keys_as_credentials_that_may_be_encrypted(self) -> None:
        """As rdv-server(8) says it, with the machine's own key; the machine has no TPM."""
        server, drop_in, keys = world().server, "/run/systemd/system/rdv-server.service.d", ("ca", "server", "grant")
        lines = "".join(f"LoadCredentialEncrypted={key}.key:/etc/rdv/{key}.cred\\n" for key in keys)
        encrypt = "".join(
            f"systemd-creds encrypt --with-key=host --name={key}.key /var/lib/rdv/{key}.key /etc/rdv/{key}.cred\n"
            f"mv /var/lib/rdv/{key}.key /root/\n"
            for key in keys
        )
        server.shell(f"{encrypt}mkdir -p {drop_in}; printf '[Service]\\n{lines}' >{drop_in}/encrypted.conf")

        def undo() -> None:
            server.shell(f"mv /root/*.key /var/lib/rdv/; rm -r {drop_in} /etc/rdv/*.cred; systemctl daemon-reload")
            server.shell("systemctl restart rdv-server")
            world().wait_online()

        self.addCleanup(undo)
        server.shell("systemctl daemon-reload; systemctl restart rdv-server")
        world().wait_online()
        with world().session() as session:
            session.wait_established()
            self.assertIn("camera", world().fetch())

    def test_see_no_device_but_the_tun_and_no_files_of_others(self) -> None:
        for unit, devices in (("tundev-netd", True), ("tundev-agent", False)):
            root = f"/proc/{self.pid(world().master, unit)}/root"
            there = world().master.shell(f"ls {root}/dev/net 2>/dev/null || true").split()
            self.assertEqual(there, ["tun"] if devices else [], unit)
            self.assertEqual(world().master.shell(f"ls -A {root}/home {root}/root 2>/dev/null || true").split(":")[-1].strip(), "")


class TheyComeBack(Services):
    def kill(self, machine: Machine, unit: str, signal: str) -> None:
        before, started = self.pid(machine, unit), time.monotonic()
        machine.shell(f"systemctl kill --signal={signal} --kill-whom=main {unit}")
        until(f"the next {unit}", lambda: self.pid(machine, unit) not in (0, before), 60, 0.2)
        until(f"{unit} ready", lambda: "active" == machine.run("systemctl", "is-active", unit, check=False).stdout.strip())
        print(f"       {unit}: there again {time.monotonic() - started:.1f} s after {signal}")

    def test_after_sigkill_and_a_new_session_works(self) -> None:
        for name, units in UNITS.items():
            for unit in units:
                self.kill(world().machines[name], unit, "SIGKILL")
        world().wait_online()
        with world().session() as session:
            session.wait_established()
            self.assertIn("camera", world().fetch())

    def test_after_a_hang_because_the_watchdog_ends_them(self) -> None:
        """With 3 s instead of the 30 s of the unit; SIGKILL follows the SIGABRT, which one that is stopped ignores."""
        onsite, drop_in = world().onsite, "/run/systemd/system/tundev-agent.service.d"
        onsite.shell(f"mkdir {drop_in}; printf '[Service]\\nWatchdogSec=3\\n' >{drop_in}/soon.conf; systemctl daemon-reload")
        self.addCleanup(onsite.shell, f"rm -r {drop_in}; systemctl daemon-reload")
        onsite.shell("systemctl restart tundev-agent")
        self.kill(onsite, "tundev-agent", "SIGSTOP")

    def test_when_a_caller_needs_one_that_was_stopped(self) -> None:
        """D-Bus activation: `systemctl stop`, then a person's command."""
        world().master.shell("systemctl stop tundev-agent")
        self.assertIn("rpi2000", world().master.shell("tundev status"))

    def test_but_not_because_of_a_caller_who_may_not_call(self) -> None:
        world().master.shell("systemctl stop tundev-agent")
        asked = "busctl call org.rdv.Device1 /org/rdv/Device1 org.rdv.Device1 List"
        done = world().master.run("setpriv", "--reuid=nobody", "--clear-groups", *asked.split(), check=False)
        self.assertNotEqual(done.returncode, 0)
        state = world().master.run("systemctl", "is-active", "tundev-agent", check=False).stdout.strip()
        world().master.shell("systemctl start tundev-agent")
        self.assertEqual(state, "inactive", done.stderr)
