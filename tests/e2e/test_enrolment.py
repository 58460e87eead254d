"""A code becomes exactly one certificate, and every other try is told why it is refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rdv_client
from case import LabCase, SpareDeviceCase

from lab.daemons import SERVER_CONFIG
from lab.people import OPERATOR, SERVER, STRANGER
from lab.topology import RDV_ADDRESS, RDV_PORT

RACE = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import pathlib, tempfile, rdv_client
code, tries, results = sys.argv[2], 20, []
start = threading.Barrier(tries)
def race():
    with tempfile.TemporaryDirectory() as d:
        start.wait()
        try:
            results.append("certificate for " + rdv_client.enroll(("203.0.113.10", 443), code, pathlib.Path(d)))
        except Exception as e:
            results.append("refused: " + str(e))
threads = [threading.Thread(target=race) for _ in range(tries)]
[t.start() for t in threads]; [t.join() for t in threads]
print("\\n".join(results))
"""


class Enrolment(SpareDeviceCase):
    def setUp(self) -> None:
        super().setUp()
        self.code = self.lab.daemons.add_device(self.name, "onsite", "a test")
        self.addCleanup(self.lab.daemons.rdvctl, "device", "remove", self.name)

    def enroll(self, code: str, privileges=OPERATOR):
        return self.spare.run("tundev", "enroll", code, privileges=privileges, check=False)

    def assert_refused(self, code: str, why: str) -> None:
        done = self.enroll(code)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stderr, rf"(?is)^tundev: .+: .*({why})")
        self.assertRegex(done.stderr, r"\ntundev: .+\n\Z", "no second line that says what to do next")

    def test_a_fresh_code_makes_the_device_appear_online(self) -> None:
        done = self.enroll(self.code)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.name, done.stdout)
        self.lab.daemons.wait_online([self.name])
        self.assertEqual(self.lab.daemons.device_list()[self.name]["state"], "enrolled")

    def test_the_code_may_be_typed_in_lower_case_and_without_hyphens(self) -> None:
        self.assertEqual(self.enroll(self.code.lower().replace("-", "")).returncode, 0)

    def test_the_private_key_is_the_devices_own_and_nobody_elses_to_read(self) -> None:
        self.assertEqual(self.enroll(self.code).returncode, 0)
        for copy in ("identity.1", "identity.2"):
            key = self.spare.directory / "state" / copy
            self.assertEqual(oct(key.stat().st_mode & 0o777), "0o600")
            self.assertEqual(key.owner(), "rdv-tundev")

    def test_a_code_is_good_once_more_when_the_power_failed_before_its_answer_came(self) -> None:
        state = self.spare.directory / "state"
        # One that comes although it is slow was there before we had seen that it was sent: anew, and slower.
        for delay_ms in (700, 1500, 3000):
            if self.fail_power_behind(delay_ms):
                break
            self.forget_spare()
            self.lab.daemons.start_device(self.spare.name)
            self.code = json.loads(self.rdvctl("device", "code", self.name, "--json"))["code"]
        self.assertEqual([file.name for file in state.glob("*")], ["enrolling.key"])
        self.lab.daemons.start_device(self.spare.name)
        self.assertEqual(self.enroll(self.code).returncode, 0)
        self.lab.daemons.wait_online([self.name])
        self.assertEqual(sorted(file.name for file in state.glob("*")), ["identity.1", "identity.2"])

    def fail_power_behind(self, delay_ms: float) -> bool:
        """The device dies once the server has enrolled it: True when its answer, so long on its way, had not come by then."""
        server = self.rdv.background("rdv-server")
        before = len(server.log)
        self.addCleanup(self.lab.emulate_off, "router-b")
        self.lab.emulate("router-b", down={"delay_ms": delay_ms})
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(self.enroll, self.code)
            server.wait_log("device enrolled", offset=before)
            self.spare.background("tundev-agent").kill()
            was_answered = asked.result().returncode == 0
        self.lab.emulate_off("router-b")
        return not was_answered and not (self.spare.directory / "state" / "identity.1").exists()

    def test_a_used_code_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            self.spare.run("python3", "-c", self.one_enrolment(), self.code, directory)
        self.assert_refused(self.code, "used")

    def one_enrolment(self) -> str:
        support = Path(rdv_client.__file__).parent
        return (
            f"import sys; sys.path.insert(0, {str(support)!r}); import rdv_client, pathlib;"
            f"rdv_client.enroll(({RDV_ADDRESS!r}, {RDV_PORT}), sys.argv[1], pathlib.Path(sys.argv[2]))"
        )

    def test_an_expired_code_is_refused(self) -> None:
        self.expire_codes()
        self.assert_refused(self.code, "expired")

    def expire_codes(self) -> None:
        """Nobody waits 24 hours: the store is told that they have passed."""
        store = sqlite3.connect(self.rdv.directory / "state" / "rdv.db", timeout=30)
        with store:
            tables = store.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
            columns = [
                (table, column[1])
                for table, _ in tables
                for column in store.execute(f"pragma table_info({table})")
                if "code" in (table + column[1]).lower() and "expires" in column[1].lower()
            ]
            self.assertTrue(columns, f"no column for the end of a code in {tables}")
            for table, column in columns:
                store.execute(f"update {table} set {column} = 1 where {column} > 0")
        store.close()

    def test_a_mistyped_code_is_refused_on_the_device(self) -> None:
        wrong = self.code[:-1] + ("0" if self.code[-1] != "0" else "1")
        self.assert_refused(wrong, "mistyped|typing|typed")
        self.assert_refused(self.code[:-6], "mistyped|typing|typed|cut")
        self.assertEqual(self.enroll(self.code).returncode, 0, "the right code must still work")

    def test_a_code_of_another_server_is_refused(self) -> None:
        self.assert_refused(self.foreign_code(), "another server|not the server|fingerprint|other server|different server")

    def foreign_code(self) -> str:
        """A code made by a server with keys of its own that names our server's address."""
        other = self.lab["internet"]
        directory = other.directory
        self.addCleanup(shutil.rmtree, directory / "state")
        (directory / "state").mkdir(mode=0o700)
        shutil.chown(directory / "state", "rdv", "rdv")
        config = directory / "server.toml"
        config.write_text(SERVER_CONFIG.format(address=RDV_ADDRESS, port=RDV_PORT, directory=directory))
        other.run("rdvctl", "--config", config, "init", "--address", f"{RDV_ADDRESS}:{RDV_PORT}")
        server = other.start("rdv-server", "rdv-server", "--config", config, privileges=SERVER)
        self.addCleanup(server.stop)
        other.wait_bus_name("org.rdv.Server1", server)
        said = other.run("rdvctl", "device", "add", "elsewhere", "--role", "onsite", "--json", privileges=OPERATOR)
        return rdv_code(said.stdout)

    def test_twenty_races_on_one_code_give_one_certificate(self) -> None:
        support = str(Path(rdv_client.__file__).parent)
        said = self.lab["internet"].run("python3", "-c", RACE, support, self.code).stdout.splitlines()
        self.assertEqual(len(said), 20)
        self.assertEqual([s for s in said if s.startswith("certificate")], [f"certificate for {self.name}"], said)

    def test_who_is_not_in_the_group_may_not_enrol_the_device(self) -> None:
        done = self.enroll(self.code, privileges=STRANGER)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.enroll(self.code).returncode, 0, "and the code is not used up by that")

    def test_a_name_that_is_taken_or_wrong_is_refused_by_rdvctl(self) -> None:
        for name, role in ((self.name, "onsite"), ("With Space", "onsite"), ("x" * 33, "master"), ("fine", "boss")):
            with self.subTest(name=name):
                done = self.rdv.run("rdvctl", "device", "add", name, "--role", role, privileges=OPERATOR, check=False)
                self.assertIn(done.returncode, (1, 2))
                self.assertRegex(done.stderr, "^rdvctl: ")


def rdv_code(json_text: str) -> str:
    import json

    return json.loads(json_text)["code"]


class MoreRaces(LabCase):
    def test_ten_devices_enrol_at_the_same_time(self) -> None:
        names = [f"many-{n}" for n in range(10)]
        codes = [self.lab.daemons.add_device(name, "onsite") for name in names]
        for name in names:
            self.addCleanup(self.lab.daemons.rdvctl, "device", "remove", name)
        script = Enrolment.one_enrolment(self)
        with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(10) as pool:
            for n in range(10):
                (Path(root) / str(n)).mkdir()
            list(
                pool.map(
                    lambda n: self.lab["internet"].run("python3", "-c", script, codes[n], f"{root}/{n}"), range(10)
                )
            )
        states = self.lab.daemons.device_list()
        self.assertEqual({states[name]["state"] for name in names}, {"enrolled"})
