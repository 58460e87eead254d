"""Mode L2: the laptop is in the customer's LAN as by a cable, where that is permitted, and nowhere else."""

from __future__ import annotations

import json
import signal

from case import LabCase

from lab import laptop as laptops
from lab.host import Host
from lab.process import until
from lab.topology import CAMERA

ONSITE = "rpi1100"
DHCP_POOL = ("192.168.1.100", "192.168.1.120")
MDNS_GROUP, MDNS_PORT = "224.0.0.251", 5353

HEAR_MULTICAST = f"""
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("{MDNS_GROUP}", {MDNS_PORT}))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             socket.inet_aton("{MDNS_GROUP}") + socket.inet_aton(sys.argv[1]))
s.settimeout(20)
print("listening", flush=True)
print(s.recv(100).decode(), flush=True)
"""
SAY_MULTICAST = f"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
for _ in range(20):
    s.sendto(b"camera._http._tcp.local", ("{MDNS_GROUP}", {MDNS_PORT}))
    time.sleep(0.1)
"""


class L2Case(LabCase):
    def permit(self, onsite: str = ONSITE) -> None:
        self.rdvctl("device", "l2", onsite, "on")
        self.addCleanup(self.rdvctl, "device", "l2", onsite, "off")

    def serve_dhcp(self, host: Host) -> None:
        """The customer's DHCP server, on the camera."""
        pool = ",".join((*DHCP_POOL, "255.255.255.0", "120"))
        server = host.start(
            "dhcp-server",
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0"),
            *(f"--dhcp-range={pool}", f"--dhcp-option=3,{CAMERA}", f"--dhcp-leasefile={host.directory}/leases"),
            *("--dhcp-authoritative", "--no-ping", "--user=root"),
        )
        self.addCleanup(server.kill)

    def ask_for_a_lease(self, laptop: Host) -> None:
        """What an engineer does: the cable out and in, or the button "renew"."""
        client = laptop.background("udhcpc-eth0")
        client.signal(signal.SIGUSR2)  # forget the lease
        until("the laptop's old address to go", lambda: not laptops.lease(laptop), 10, 0.05)
        client.signal(signal.SIGUSR1)

    def wait_customers_lease(self, laptop: Host) -> str:
        self.ask_for_a_lease(laptop)
        lease = laptops.wait_lease(laptop, 20)
        self.assertRegex(lease["ip"], r"^192\.168\.1\.1[0-2]\d$")
        return lease["ip"]


class ModeL2(L2Case):
    def test_without_permission_it_is_refused_with_what_to_do(self) -> None:
        with self.session(ONSITE, "-m", "L2") as session:
            self.assert_ends(session, 1, "not open to mode L2", f"rdvctl device l2 {ONSITE} on")

    def test_the_laptop_is_in_the_customers_lan_and_afterwards_where_it_was(self) -> None:
        self.permit()
        self.serve_dhcp(self.camera)
        online_since = self.onsite_online_since()
        session = self.open_session(ONSITE, "-m", "L2")
        self.assertIn("established in mode L2", session.output)
        address = self.wait_customers_lease(self.laptop)
        self.assertIn(f"You are {address}.", self.fetch())
        self.laptop.run("ping", "-n", "-c3", "-i0.2", "-W2", CAMERA)
        self.assertEqual([s["mode"] for s in self.sessions()], ["L2"])
        self.assertGreater(self.iperf()["end"]["sum_received"]["bits_per_second"], 50e6)
        self.assert_hears_multicast(address)
        self.assertEqual(self.onsite_online_since(), online_since, "the onsite lost its server")
        session.__exit__()
        until("the end of the session", lambda: not self.sessions(), 15, 0.05)
        self.ask_for_a_lease(self.laptop)
        self.assertRegex(laptops.wait_lease(self.laptop, 20)["ip"], r"^192\.168\.38\.")

    def test_what_is_no_longer_permitted_ends(self) -> None:
        self.permit()
        session = self.open_session(ONSITE, "-m", "L2")
        self.rdvctl("device", "l2", ONSITE, "off")
        self.assert_ends(session, 1, "no longer permitted")

    def onsite_online_since(self) -> str:
        return next(line for line in self.rdvctl("device", "show", ONSITE).splitlines() if "state" in line)

    def iperf(self) -> dict:
        return json.loads(self.laptop.run("iperf3", "-J", "-t", "2", "-c", CAMERA, seconds=30).stdout)

    def assert_hears_multicast(self, address: str) -> None:
        listener = self.laptop.popen("python3", "-c", HEAR_MULTICAST, address, stdout=-1, text=True)
        self.addCleanup(listener.kill)
        self.assertEqual(listener.stdout.readline().strip(), "listening")
        self.camera.run("python3", "-c", SAY_MULTICAST, CAMERA)
        self.assertEqual(listener.stdout.readline().strip(), "camera._http._tcp.local")
        listener.wait(10)
