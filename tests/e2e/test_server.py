"""The server: what its administrator sees and does, many devices, and strangers on port 443."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import rdv_client
from case import LabCase

from lab.people import OPERATOR, STRANGER
from lab.process import COMES_S, is_alive, until
from lab.topology import RDV_ADDRESS, RDV_ADDRESS6, RDV_PORT

IDLE = 300
SUPPORT = Path(rdv_client.__file__).parent
SLOW = """
import socket, sys, time
s = socket.create_connection(("203.0.113.10", 443), timeout=30)
hello = bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) + bytes(500)
started = time.monotonic()
try:
    for byte in hello:
        s.send(bytes([byte]))
        s.settimeout(1)
        try:
            if s.recv(100) == b"":
                break
        except TimeoutError:
            pass
except OSError:
    pass
print(time.monotonic() - started)
"""
SPEAK = """
import socket, sys, time
s = socket.create_connection(("203.0.113.10", 443), timeout=30)
started = time.monotonic()
s.sendall(bytes.fromhex(sys.argv[1]))
got = b""
try:
    while chunk := s.recv(1000):
        got += chunk
except OSError:
    pass
print(time.monotonic() - started, len(got))
"""


class Administration(LabCase):
    def test_device_list_shows_both_roles_with_site_and_state(self) -> None:
        said = self.rdvctl("device", "list")
        self.assertRegex(said, r"rpi1100 .*Royal Champagne, boiler room")
        self.assertRegex(said, r"master2 .*master")

    def test_device_show_tells_all_about_one(self) -> None:
        shown = json.loads(self.rdvctl("device", "show", "rpi1100", "--json"))
        self.assertEqual((shown["name"], shown["role"], shown["state"], shown["online"]), ("rpi1100", "onsite", "enrolled", True))
        self.assertRegex(shown["key_sha256"], r"^[0-9a-fA-F:]{64,95}$")
        self.assertIn("198.51.100.6", shown["public_address"])

    def test_session_list_shows_who_is_on_whom(self) -> None:
        self.assertEqual(self.sessions(), [])
        self.open_session()
        (session,) = self.sessions()
        self.assertEqual((session["master"], session["onsite"], session["mode"]), ("master", "rpi1100", "L3"))
        self.assertRegex(session["id"], r"^[0-9a-f]{16}$")

    def test_status_counts(self) -> None:
        self.open_session()
        status = json.loads(self.rdvctl("status", "--json"))
        self.assertEqual((status["sessions"], status["online"]), (1, 4))

    def test_who_is_not_in_the_group_is_refused(self) -> None:
        done = self.rdv.run("rdvctl", "status", privileges=STRANGER, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"(?s)^rdvctl: .+rdv-admin")

    def test_what_does_not_exist_is_said_with_exit_code_1(self) -> None:
        for argv in (["device", "show", "nobody"], ["device", "revoke", "nobody"], ["session", "close", "0123456789abcdef"]):
            with self.subTest(argv=argv):
                done = self.rdv.run("rdvctl", *argv, privileges=OPERATOR, check=False)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, r"^rdvctl: .+: .+")

    def test_wrong_usage_is_exit_code_2(self) -> None:
        for argv in ([], ["frobnicate"], ["device", "add"], ["device", "add", "x", "--role"]):
            with self.subTest(argv=argv):
                self.assertEqual(self.rdv.run("rdvctl", *argv, privileges=OPERATOR, check=False).returncode, 2)

    def test_an_unknown_key_in_the_configuration_is_an_error_that_names_the_line(self) -> None:
        config = self.rdv.directory / "wrong.toml"
        config.write_text((self.rdv.directory / "server.toml").read_text() + 'colour = "red"\n')
        line = config.read_text().count("\n")
        done = self.rdv.run("rdv-server", "--config", config, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout + done.stderr, rf"colour")
        self.assertRegex(done.stdout + done.stderr, rf"(:|line ){line}\b")


class Revoking(LabCase):
    """A device made for the test is revoked: an enrolled one cannot be un-revoked."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.enrol_again, "onsite", "rpi1100")

    def test_it_closes_a_running_session_within_a_second_and_refuses_reconnects(self) -> None:
        session = self.open_session()
        revoked = time.monotonic()
        self.rdvctl("device", "revoke", "rpi1100")
        self.assert_ends(session, 1, "revoked")
        self.assert_within(time.monotonic() - revoked, 1.0)
        self.assert_unreachable()
        agent = self.onsite.background("tundev-agent")
        agent.kill()
        before = len(agent.log)
        self.lab.daemons.start_device("onsite")
        agent.wait_log("revoked", offset=before)
        self.assertFalse(self.lab.daemons.device_list()["rpi1100"]["online"])
        with self.session() as again:
            self.assert_ends(again, 1, "revoked")

    def test_a_removed_device_is_forgotten_and_its_name_free(self) -> None:
        self.rdvctl("device", "remove", "rpi1100")
        self.assertNotIn("rpi1100", self.lab.daemons.device_list())
        self.assertTrue(self.lab.daemons.add_device("rpi1100", "onsite"))


class Restart(LabCase):
    def test_devices_come_back_after_the_server_was_stopped(self) -> None:
        self.rdv.background("rdv-server").stop()
        self.lab.daemons.start_server()
        self.lab.daemons.wait_online(["rpi1100", "rpi1200", "master", "master2"])

    def test_a_session_waits_for_a_server_that_was_stopped_and_goes_on_with_it(self) -> None:
        session = self.open_session()
        number = self.sessions()[0]["id"]
        self.rdv.background("rdv-server").stop()
        session.wait_heard("interrupted: ")
        self.lab.daemons.start_server()
        session.wait_heard("resumed after ", seconds=40)
        self.assert_reaches_camera()
        self.assertEqual([s["id"] for s in self.sessions()], [number])


class ManyDevices(LabCase):
    def test_300_idle_onsites_are_listed_and_a_session_opens_as_ever(self) -> None:
        names = [f"idle-{n:03}" for n in range(IDLE)]
        codes = [self.lab.daemons.add_device(name, "onsite", "a shelf") for name in names]
        self.addCleanup(lambda: [self.rdvctl("device", "remove", name) for name in names])
        idle = self.lab["internet"].popen(
            *("python3", SUPPORT / "idle_devices.py", RDV_ADDRESS, RDV_PORT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(idle.__exit__, None, None, None)
        idle.stdin.write("\n".join(codes) + "\n\n")
        idle.stdin.flush()
        self.assertEqual(idle.stdout.readline(), f"{IDLE} online\n")
        said = self.masterdev("-l").stdout
        self.assertIn(f"{IDLE + 2} onsites, {IDLE + 2} online", said)
        self.open_session()
        self.assert_reaches_camera()
        self.assertTrue(is_alive(idle.pid), "an idle device was lost")
        idle.stdin.close()
        self.assertEqual(idle.wait(COMES_S), 0)
        until("the idle devices offline", lambda: json.loads(self.rdvctl("status", "--json"))["online"] == 4)


class Strangers(LabCase):
    """What is not a device gets a quick and quiet end, and nobody else notices."""

    def speak(self, data: bytes) -> tuple[float, int]:
        """Sends it to port 443; answers how long the server listened and how many bytes it said."""
        said = self.lab["internet"].run("python3", "-c", SPEAK, data.hex()).stdout.split()
        return float(said[0]), int(said[1])

    def test_http_and_garbage_get_a_quick_quiet_end(self) -> None:
        for data in (b"GET / HTTP/1.1\r\nHost: rdv\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", bytes(range(256)) * 8, bytes(100)):
            with self.subTest(data=data[:10]):
                seconds, got = self.speak(data)
                self.assert_within(seconds, 4.0)  # below the deadline for silence
                self.assertLess(got, 64)  # an alert at most

    def test_silence_is_cut_after_the_deadline(self) -> None:
        seconds, got = self.speak(b"")
        self.assert_within(seconds, 10)  # 5 s to a whole ClientHello
        self.assertEqual(got, 0)

    def test_a_ClientHello_at_one_byte_per_second_is_cut_by_the_absolute_deadline(self) -> None:
        seconds = float(self.lab["internet"].run("python3", "-c", SLOW).stdout)
        self.assertGreater(seconds, 3.0)
        self.assert_within(seconds, 15)  # each byte begins none anew: the 511 take as many seconds

    def test_a_device_without_a_certificate_is_not_let_in(self) -> None:
        for alpn in ("rdv-control/1", "rdv-data/1"):
            script = (
                f"import sys; sys.path.insert(0, {str(SUPPORT)!r}); import rdv_client as r\n"
                f"try: c = r.Connection(({RDV_ADDRESS!r}, 443), {alpn!r}); print(r.hello(c, 'x'))\n"
                "except (r.ProtocolError, OSError) as e: print('refused', e)"
            )
            self.assertTrue(self.lab["internet"].run("python3", "-c", script).stdout.startswith("refused"))

    def test_a_session_goes_on_while_strangers_knock(self) -> None:
        self.open_session()
        with self.pinging(100) as ping:
            for _ in range(20):
                self.speak(b"GET / HTTP/1.0\r\n\r\n")
            self.assert_no_echo_lost(ping.communicate()[0], 100)

    def test_tls_below_1_3_is_refused(self) -> None:
        done = self.lab["internet"].run(
            "openssl", "s_client", "-connect", f"{RDV_ADDRESS}:{RDV_PORT}", "-tls1_2", check=False, stdin=""
        )
        self.assertNotEqual(done.returncode, 0)

    def test_the_server_also_answers_on_ipv6(self) -> None:
        config = self.onsite.directory / "device.toml"
        usual = config.read_text()
        config.write_text(f'{usual}\n[server]\naddress = "[{RDV_ADDRESS6}]:{RDV_PORT}"\n')
        self.addCleanup(self.lab.daemons.start_device, "onsite")
        self.addCleanup(self.onsite.background("tundev-agent").stop)
        self.addCleanup(config.write_text, usual)
        self.onsite.background("tundev-agent").stop()
        self.lab.daemons.start_device("onsite")
        until(
            "rpi1100 online over IPv6",
            lambda: re.search("2001:db8:b0", self.lab.daemons.device_list()["rpi1100"]["public_address"]),
        )
        self.open_session()
        self.assert_reaches_camera()
