"""Nothing goes where it should not: the master's own LAN, the internet, other customers, the onsite's own services."""

from __future__ import annotations

from capture import Capture, tcp_streams, tls_record_types
from case import LabCase

from lab.session import Terminal
from lab.topology import CAMERA, DEVICE_LAN, EXTREMITY, RDV_ADDRESS, ROUTER_LAN

# All that a master may send on its own LAN: its connection to the server, and what finds the router's address.
OF_THE_MASTER = (
    f"(tcp port 443 and host {RDV_ADDRESS}) or (arp and host {ROUTER_LAN} and host {DEVICE_LAN}) or icmp6"
    " or (ip6 multicast)"
)


class TheLaptopsTraffic(LabCase):
    def knock_everywhere(self) -> None:
        """The laptop tries everything that could find its way to the master's LAN."""
        for address in (CAMERA, ROUTER_LAN, DEVICE_LAN, "192.168.1.77", "198.51.100.1", RDV_ADDRESS, "10.1.2.3"):
            self.laptop.run("ping", "-n", "-c1", "-W1", address, check=False)
        for address in (CAMERA, ROUTER_LAN, RDV_ADDRESS):
            self.laptop.run("curl", "-sS", "-m1", f"http://{address}/", check=False)
        for server in (EXTREMITY, ROUTER_LAN, CAMERA):
            self.laptop.run("dig", f"@{server}", "+time=1", "+tries=1", "camera.customer.lan", check=False)

    def test_nothing_of_it_is_on_the_masters_lan_before_during_and_after_a_session(self) -> None:
        with Capture(self.lab["router-a"], "lan0") as wire:
            self.knock_everywhere()
            with self.session() as session:
                # Not only before and after: the moments in between are where leaks hide.
                knocking = self.laptop.popen("ping", "-n", "-q", "-i", "0.005", CAMERA, stdout=-3)
                session.wait_established()
                self.knock_everywhere()
                self.assert_reaches_camera()
            self.knock_everywhere()
            knocking.terminate()
            knocking.wait()
        self.assertEqual(wire.packets(f"not ({OF_THE_MASTER})"), [])
        self.assertNotEqual(wire.packets(f"tcp port 443 and host {RDV_ADDRESS}"), [], "the capture saw nothing")

    def test_nothing_of_it_is_on_the_masters_lan_when_the_agent_or_netd_is_killed_in_a_session(self) -> None:
        for daemon in ("tundev-agent", "tundev-netd"):
            with self.subTest(killed=daemon), Capture(self.lab["router-a"], "lan0") as wire:
                self.open_session()
                knocking = self.laptop.popen("ping", "-n", "-q", "-i", "0.005", CAMERA, stdout=-3)
                self.master.background(daemon).kill()
                self.knock_everywhere()
                self.lab.daemons.start_device("master")
                knocking.terminate()
                knocking.wait()
            self.assertEqual(wire.packets(f"not ({OF_THE_MASTER})"), [])
            self.doCleanups()
            self.setUp()

    def test_before_and_after_a_session_it_is_refused_at_once(self) -> None:
        for address in (CAMERA, DEVICE_LAN, ROUTER_LAN, "198.51.100.1", RDV_ADDRESS):
            self.assert_unreachable(address)
        with self.session() as session:
            session.wait_established()
            self.assert_reaches_camera()
        for address in (CAMERA, DEVICE_LAN, ROUTER_LAN, "198.51.100.1", RDV_ADDRESS):
            self.assert_unreachable(address)

    def test_a_ping_begun_before_the_session_is_answered_in_it_and_refused_after_it(self) -> None:
        with Terminal(self.laptop, "ping", "-n", "-i", "0.1", CAMERA) as ping:
            with self.session() as session:
                session.wait_established()
                _, answered = ping.wait_heard(f"bytes from {CAMERA}")
            ping.wait_heard("nreachable", answered)


class TheOnsite(LabCase):
    def test_it_forwards_to_the_customers_lan_only(self) -> None:
        self.open_session()
        self.assert_reaches_camera()
        with Capture(self.lab["router-b"], "lan0", f"src host {DEVICE_LAN} and not (tcp port 443 or arp)") as wire:
            for address in ("198.51.100.1", RDV_ADDRESS, "10.1.2.3", "169.254.1.1"):
                self.laptop.run("ping", "-n", "-c1", "-W1", address, check=False)
            self.laptop.run("curl", "-sS", "-k", "-m1", f"https://{RDV_ADDRESS}/", check=False)
        self.assertEqual([p for p in wire.packets() if "198.51.100.1" in p or "10.1.2.3" in p or "169.254" in p], [])
        with Capture(self.rdv, "eth0", "tcp[tcpflags] == tcp-syn") as wire:
            self.laptop.run("curl", "-sS", "-k", "-m1", f"https://{RDV_ADDRESS}/", check=False)
        self.assertEqual(wire.packets(), [], "the laptop reached the RDV server through the customer")

    def test_the_customers_hosts_cannot_reach_the_laptop(self) -> None:
        session = self.open_session()
        tunnel = self.master.run("ip", "-br", "-4", "addr", "show", session.link).stdout.split()[2].split("/")[0]
        laptop = self.laptop.run("ip", "-br", "-4", "addr", "show", "eth0").stdout.split()[2].split("/")[0]
        for address in (tunnel, laptop):
            self.camera.run("ip", "route", "add", address, "via", DEVICE_LAN)
            self.addCleanup(self.camera.run, "ip", "route", "del", address)
        with Capture(self.laptop, "eth0", f"host {CAMERA}") as wire:
            for address in (tunnel, laptop):
                said = self.camera.run("ping", "-n", "-c2", "-i0.1", "-W1", address, check=False).stdout
                self.assertIn(" 0 received", said, address)
        self.assertEqual(wire.packets(), [])

    def test_the_wire_shows_only_tls_on_port_443(self) -> None:
        secret = "<title>camera: live picture</title>"
        with Capture(self.lab["router-b"], "wan0") as wire:
            self.onsite.background("tundev-agent").kill()  # so that its first packets are seen, too
            self.lab.daemons.start_device("onsite")
            self.lab.daemons.wait_online(["rpi1100"])
            with self.session() as session:
                session.wait_established()
                self.assertIn(secret, self.fetch())
                self.laptop.run("curl", "-sS", "-m60", "-o", "/dev/null", f"http://{CAMERA}/bytes/{1 << 20}")
        self.assertEqual(wire.packets("not tcp port 443 and not arp and not icmp6 and not (ip6 multicast)"), [])
        self.assertNotIn(secret.encode(), wire.bytes())
        # Without its SYN: the last packets of the agent that was killed.
        streams = {ends: stream for ends, stream in tcp_streams(wire.file).items() if stream.first is not None}
        self.assertGreaterEqual(len(streams), 4, "control and data, both ways")
        for ends, stream in streams.items():
            with self.subTest(ports=(ends[1], ends[3])):
                types = tls_record_types(stream.data())
                self.assertEqual(types[0], "handshake")
                # Nothing but application data once the handshake is over, hand-off or not.
                rest = [t for t in types if t not in ("handshake", "change_cipher_spec")]
                self.assertEqual(set(rest), {"application_data"})


class TwoMastersOnTwoSites(LabCase):
    def test_each_laptop_reaches_its_own_customer_although_all_addresses_are_the_same(self) -> None:
        self.open_session("rpi1100", master="master")
        self.open_session("rpi1200", master="master2")
        for _ in range(3):
            self.assert_reaches_camera("laptop", "camera")
            self.assert_reaches_camera("laptop2", "camera2")
        self.assertIn("-onsite\n", self.ssh(DEVICE_LAN, "ip netns identify"))
        self.assertIn("-onsite2\n", self.ssh(DEVICE_LAN, "ip netns identify", laptop="laptop2"))

    def test_they_may_be_crossed(self) -> None:
        self.open_session("rpi1200", master="master")
        self.open_session("rpi1100", master="master2")
        self.assert_reaches_camera("laptop", "camera2")
        self.assert_reaches_camera("laptop2", "camera")

    def test_no_packet_of_one_is_ever_seen_at_the_other(self) -> None:
        first = self.open_session("rpi1100", master="master")
        second = self.open_session("rpi1200", master="master2")
        mark, mark2 = "6d61726b31", "6d61726b32"  # "mark1", "mark2" in the pings' payload
        wires = [
            Capture(self.lab[host], link, "icmp")
            for host, link in (("laptop2", "eth0"), ("camera2", "eth0"), ("onsite2", "any"), ("laptop", "eth0"))
            + (("camera", "eth0"), ("onsite", "any"))
        ]
        with wires[0], wires[1], wires[2], wires[3], wires[4], wires[5]:
            tunnel = {s: self.tunnel_addresses(h) for s, h in ((first, "master"), (second, "master2"))}
            for laptop, payload, other in (("laptop", mark, second), ("laptop2", mark2, first)):
                self.ping(laptop, "-i0.02", "-p", payload, count=5)
                for address in (*tunnel[other], "192.168.38.226", "192.168.38.227"):
                    self.lab[laptop].run("ping", "-n", "-c1", "-W1", "-p", payload, address, check=False)
        for wire in wires[:3]:
            self.assertNotIn(bytes.fromhex(mark), wire.bytes(), wire.host.name)
            self.assertIn(bytes.fromhex(mark2), wire.bytes(), wire.host.name)
        for wire in wires[3:]:
            self.assertNotIn(bytes.fromhex(mark2), wire.bytes(), wire.host.name)
            self.assertIn(bytes.fromhex(mark), wire.bytes(), wire.host.name)

    def tunnel_addresses(self, host: str) -> list[str]:
        """Both addresses of the tunnel that ends on this master."""
        words = self.lab[host].run("ip", "-br", "-4", "addr").stdout
        mine = next(line.split()[2].split("/")[0] for line in words.splitlines() if line.startswith("rdv"))
        head, last = mine.rsplit(".", 1)
        return [mine, f"{head}.{int(last) - 1}"]

    def test_one_ends_and_the_other_does_not_notice(self) -> None:
        first = self.open_session("rpi1100", master="master")
        self.open_session("rpi1200", master="master2")
        with self.pinging(100, "laptop2") as ping:
            first.press_ctrl_c()
            self.assert_ends(first, 0)
            self.assert_no_echo_lost(ping.communicate()[0], 100)
        self.assert_unreachable(laptop="laptop")
        self.assert_reaches_camera("laptop2", "camera2")
