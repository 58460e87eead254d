"""What the laptop reaches in a session, with nothing set on it."""

from __future__ import annotations

import json
import re

from case import LabCase

from lab import laptop as laptops
from lab.process import until
from lab.services import host_key_of
from lab.topology import CAMERA, DEVICE_LAN, EXTREMITY, ROUTER_LAN

UDP_ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
data = bytes(i % 251 for i in range(int(sys.argv[2])))
for _ in range(30):
    s.sendto(data, (sys.argv[1], 7))
    try:
        print(s.recv(65536) == data)
        break
    except TimeoutError:
        pass
"""
PATIENCE = ("+time=3", "+tries=10")  # of dig


class InASession(LabCase):
    """One session for all of these tests."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        from case import heal

        heal(cls.lab)
        cls._session = cls.session(cls, "rpi1100").wait_established()

    @classmethod
    def tearDownClass(cls) -> None:
        cls._session.__exit__()

    def setUp(self) -> None:
        self.count_stalls()  # and no more: the session goes on

    def test_the_laptop_has_a_short_lease_of_the_masters_subnet(self) -> None:
        lease = laptops.lease(self.laptop)
        self.assertRegex(lease["ip"], r"^192\.168\.38\.2(2[6-9]|30)$")
        self.assertEqual((lease["mask"], lease["router"], lease["dns"]), ("29", EXTREMITY, EXTREMITY))
        self.assertLessEqual(int(lease["seconds"]), 600)

    def test_established_is_said_with_the_customers_lan_and_name_servers(self) -> None:
        self._session.wait_heard(rf"established: rpi1100 .*LAN {DEVICE_LAN}/24, DNS {ROUTER_LAN}")

    def test_the_web_page_of_the_camera(self) -> None:
        self.assert_reaches_camera()

    def test_the_customer_sees_only_the_onsites_address(self) -> None:
        self.assertIn(f"You are {DEVICE_LAN}.", self.fetch())

    def test_the_web_page_by_the_customers_name(self) -> None:
        self.assertIn("<title>camera: live picture</title>", self.fetch("http://camera.customer.lan/"))

    def test_a_file_of_32_MiB_arrives_whole(self) -> None:
        said = self.laptop.run(
            *("curl", "-sS", "-m60", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"),
            f"http://{CAMERA}/bytes/{32 << 20}",
            seconds=70,
        ).stdout
        self.assertEqual(said, f"200 {32 << 20}")

    def test_ssh_to_the_camera(self) -> None:
        self.assertIn("-camera", self.ssh(CAMERA, "ip netns identify"))
        self.assert_known_host_is(CAMERA, "camera")

    def test_ssh_to_the_onsite_itself_and_not_to_the_master_with_the_same_address(self) -> None:
        self.assertIn("-onsite", self.ssh(DEVICE_LAN, "ip netns identify"))
        self.assert_known_host_is(DEVICE_LAN, "onsite")

    def assert_known_host_is(self, address: str, host: str) -> None:
        known = (self.laptop.directory / "known_hosts").read_text()
        self.assertIn(f"{address} {host_key_of(self.lab[host])}", known)

    def test_scp_to_and_from_the_camera(self) -> None:
        self.assert_copies(CAMERA)

    def test_scp_to_and_from_the_onsite(self) -> None:
        self.assert_copies(DEVICE_LAN)

    def assert_copies(self, address: str) -> None:
        """8 MiB that do not repeat go there and back and are the same."""
        there, back = self.laptop.directory / "there", self.laptop.directory / "back"
        there.write_bytes(b"".join(n.to_bytes(4, "big") for n in range(2 << 20)))
        scp = ["scp", "-q", "-F", self.laptop.directory / "ssh_config"]
        copied = self.lab.inbox / "copied"
        self.laptop.run(*scp, there, f"{address}:{copied}")
        self.laptop.run(*scp, f"{address}:{copied}", back)
        self.assertTrue(there.read_bytes() == back.read_bytes(), "the file was changed on its way")

    def test_names_are_asked_of_the_customers_name_server(self) -> None:
        said = self.laptop.run("dig", "+short", *PATIENCE, "TXT", "who.lan").stdout
        self.assertEqual(said.strip(), '"router-b"', "the office has a name server of that address, too")
        said = self.laptop.run("dig", "+short", *PATIENCE, "gateway.customer.lan").stdout
        self.assertEqual(said.strip(), DEVICE_LAN)

    def test_names_are_also_found_over_tcp(self) -> None:
        said = self.laptop.run("dig", "+tcp", "+short", *PATIENCE, "TXT", "who.lan").stdout
        self.assertEqual(said.strip(), '"router-b"')

    def test_a_name_server_on_the_customers_lan_answers_by_udp(self) -> None:
        said = self.laptop.run("dig", f"@{CAMERA}", "+short", *PATIENCE, "TXT", "who.lan").stdout
        self.assertEqual(said.strip(), '"camera"')

    def test_udp_of_any_size_comes_back_unchanged(self) -> None:
        for size in (0, 1, 1472, 1473, 9000, 60000):
            with self.subTest(bytes=size):
                said = self.laptop.run("python3", "-c", UDP_ECHO, CAMERA, size).stdout
                self.assertEqual(said.strip(), "True")

    def test_iperf3_with_udp_both_ways(self) -> None:
        for direction in ([], ["--reverse"]):
            with self.subTest(direction=direction):
                until("a good second", lambda: self.has_good_second(*direction))

    def has_good_second(self, *direction: str) -> bool:
        """At 5 Mbit/s. One in which iperf3 itself stood still costs what its socket does not hold."""
        result = self.iperf("--udp", "--bitrate", "5M", "--length", "1400", *direction)["end"]["sum"]
        return result["packets"] > 300 and result["lost_percent"] < 1.0

    def test_iperf3_with_tcp_both_ways(self) -> None:
        for direction in ([], ["--reverse"]):
            with self.subTest(direction=direction):
                until("a megabyte within a second", lambda: self.iperf(*direction)["end"]["sum_received"]["bytes"] > 1_000_000)

    def iperf(self, *options: str) -> dict:
        said = self.laptop.run(
            *("iperf3", "--json", "-c", CAMERA, "-t", "1", "--connect-timeout", "30000", *options), seconds=60
        )
        return json.loads(said.stdout)

    def test_ping(self) -> None:
        self.assert_no_echo_lost(self.ping("laptop", "-i0.05", count=5), 5)

    def test_a_packet_of_1500_bytes_with_DF_passes(self) -> None:
        said = self.ping("laptop", "-M", "do", "-s", "1472")
        self.assertIn("1480 bytes from", said)

    def test_traceroute_shows_the_customers_hop(self) -> None:
        # A hop that is asked too often does not answer: an ICMP error a second (icmp_ratelimit).
        said = until("an answer of every hop", self.traceroute, every=1)
        hops = re.findall(r"^ *\d+ +(\S+)", said, re.MULTILINE)
        self.assertEqual(hops[0], EXTREMITY, said)
        self.assertEqual(hops[-1], CAMERA, said)
        self.assertEqual(len(hops), 3, said)
        onsite = self.onsite.run("ip", "-br", "addr").stdout
        self.assertIn(f"{hops[1]}/", onsite, f"the second hop is not the onsite: {said}")

    def traceroute(self) -> str:
        """What it says; "" when a hop was silent."""
        said = self.laptop.run("traceroute", "-n", "-q1", "-w2", CAMERA).stdout
        return "" if "*" in said else said

    def test_a_port_nobody_listens_on_is_refused_at_once(self) -> None:
        done = self.laptop.run("curl", "-sS", "-m30", f"http://{CAMERA}:81/", check=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        took = re.search(r"after (\d+) ms", done.stderr)  # refused: a firewall's silence would take the 30 seconds
        self.assertTrue(took, done.stderr)
        self.assert_within(int(took[1]) / 1000, 2.5, done.stderr)

    def test_the_master_itself_still_sees_its_own_lan(self) -> None:
        said = self.fetch(laptop="master")
        self.assertIn("<title>router-a: live picture</title>", said)
