"""Mode L2: the laptop is in the customer's LAN as by a cable, where that is permitted, and nowhere else."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from capture import Capture
from case import LabCase

from lab import laptop as laptops
from lab.host import Host
from lab.process import COMES_S, LabError, until
from lab.session import Masterdev, Terminal
from lab.topology import CAMERA, EXTREMITY, LAPTOP_PORT

ONSITE = "rpi1100"
DHCP_POOL = ("192.168.1.100", "192.168.1.120")
ASKED = r"the mode is L2 now; press Enter within \d+ s to keep it, or it returns to L3 by itself"
MDNS_GROUP, MDNS_PORT = "224.0.0.251", 5353

HEAR_MULTICAST = f"""
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("{MDNS_GROUP}", {MDNS_PORT}))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             socket.inet_aton("{MDNS_GROUP}") + socket.inet_aton(sys.argv[1]))
s.settimeout(30)
print("listening", flush=True)
print(s.recv(100).decode(), flush=True)
"""
SAY_MULTICAST = f"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
for _ in range(300):
    s.sendto(b"camera._http._tcp.local", ("{MDNS_GROUP}", {MDNS_PORT}))
    time.sleep(0.1)
"""


class L2Case(LabCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.give_back_leases)  # the first one: done when the sessions are over

    def give_back_leases(self) -> None:
        for laptop in (self.laptop, self.lab["laptop2"]):
            if laptops.lease(laptop).get("ip", "").startswith("192.168.1."):
                until("the end of the sessions", lambda: not self.sessions(), every=0.05)
                self.ask_for_a_lease(laptop)
                laptops.wait_lease(laptop)

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
        until("the laptop's old address to go", lambda: not laptops.lease(laptop), every=0.05)
        client.signal(signal.SIGUSR1)

    def wait_customers_lease(self, laptop: Host) -> str:
        self.ask_for_a_lease(laptop)
        lease = laptops.wait_lease(laptop)
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
        session.wait_heard("established in mode L2")
        address = self.wait_customers_lease(self.laptop)
        self.assertIn(f"You are {address}.", self.fetch())
        self.ping("laptop", "-i0.2", count=3)
        self.assertEqual([s["mode"] for s in self.sessions()], ["L2"])
        until("a megabyte within two seconds", lambda: self.iperf()["end"]["sum_received"]["bytes"] > 1_000_000)
        self.assert_hears_multicast(address)
        self.assertEqual(self.onsite_online_since(), online_since, "the onsite lost its server")
        session.__exit__()
        until("the end of the session", lambda: not self.sessions(), every=0.05)
        self.ask_for_a_lease(self.laptop)
        self.assertRegex(laptops.wait_lease(self.laptop)["ip"], r"^192\.168\.38\.")

    def test_the_laptops_cable_goes_dead_for_a_moment_so_that_it_asks_for_its_address_again(self) -> None:
        self.permit()
        self.serve_dhcp(self.camera)
        losses = self.carrier("carrier_down_count")
        session = self.open_session(ONSITE, "-m", "L2")
        self.wait_replugged(losses)
        self.wait_customers_lease(self.laptop)
        self.assert_reaches_camera()
        losses = self.carrier("carrier_down_count")
        session.__exit__()
        self.wait_replugged(losses)
        self.ask_for_a_lease(self.laptop)
        self.assertRegex(laptops.wait_lease(self.laptop)["ip"], r"^192\.168\.38\.")

    def carrier(self, what: str) -> int:
        return int(self.laptop.run("cat", f"/sys/class/net/eth0/{what}").stdout)

    def wait_replugged(self, losses: int) -> None:
        """What makes a desktop ask for an address: its cable was out, and is in."""
        until("the cable to go dead", lambda: self.carrier("carrier_down_count") > losses, every=0.05)
        until("the cable to come back", lambda: self.carrier("carrier") == 1, every=0.05)

    def test_what_is_no_longer_permitted_ends(self) -> None:
        self.permit()
        session = self.open_session(ONSITE, "-m", "L2")
        self.rdvctl("device", "l2", ONSITE, "off")
        self.assert_ends(session, 1, "no longer permitted")

    def test_what_the_customer_forbids_meanwhile_does_not_go_on(self) -> None:
        self.permit()
        session = self.open_session(ONSITE, "-m", "L2")
        config = self.onsite.directory / "device.toml"
        before = config.read_text()
        self.addCleanup(self.restart_onsite_agent, config, before)
        self.restart_onsite_agent(config, before + "\n[onsite]\nl2 = false\n")
        self.assert_ends(session, 1, "the customer does not let it join networks in mode L2", "in the default mode")

    def restart_onsite_agent(self, config: Path, text: str) -> None:
        self.onsite.background("tundev-agent").kill()
        config.write_text(text)
        self.lab.daemons.start_device("onsite")

    def onsite_online_since(self) -> str:
        return next(line for line in self.rdvctl("device", "show", ONSITE).splitlines() if "state" in line)

    def iperf(self) -> dict:
        return json.loads(self.laptop.run("iperf3", "-J", "-t", "2", "-c", CAMERA, seconds=60).stdout)

    def assert_hears_multicast(self, address: str) -> None:
        listener = self.laptop.popen("python3", "-c", HEAR_MULTICAST, address, stdout=-1, text=True)
        self.addCleanup(listener.kill)
        self.assertEqual(listener.stdout.readline().strip(), "listening")
        speaker = self.camera.popen("python3", "-c", SAY_MULTICAST, CAMERA)  # until it is heard
        self.addCleanup(speaker.wait)
        self.addCleanup(speaker.kill)
        self.assertEqual(listener.stdout.readline().strip(), "camera._http._tcp.local")
        listener.wait(COMES_S)
        speaker.kill()

    def is_reached(self) -> bool:
        """An ICMP error ends a ping, and resumed is said before the other end has heard of it."""
        try:
            return bool(self.ping("laptop", "-i0.2", count=2))
        except LabError:
            return False

    def test_it_goes_on_when_a_daemon_was_killed(self) -> None:
        self.permit()
        self.serve_dhcp(self.camera)
        session = self.open_session(ONSITE, "-m", "L2")
        self.wait_customers_lease(self.laptop)
        for host, device in ((self.master, "master"), (self.onsite, "onsite")):
            for daemon in ("tundev-agent", "tundev-netd"):
                with self.subTest(killed=f"{daemon} on {device}"):
                    at = len(session.output)
                    host.background(daemon).kill()
                    self.lab.daemons.start_device(device)
                    session.wait_heard("resumed after", at)
                    until("echoes of the camera", self.is_reached)
        self.assertNotIn("anew", session.output)


class SwitchingTheMode(L2Case):
    def test_it_stays_when_it_is_confirmed_and_the_end_tells_of_all_that_was_carried(self) -> None:
        self.permit()
        self.serve_dhcp(self.camera)
        session = self.open_session()
        self.ssh(CAMERA, "head -c 3000000 /dev/zero")
        said = self.masterdev("-m", "L2")
        self.assertIn("as by a cable", said.stderr)
        self.assertIn("masterdev --confirm", said.stderr)
        session.wait_heard(r"switching to mode L2; [3-9]\.\d MB received[^\0]*established in mode L2")
        self.masterdev("--confirm")
        session.wait_heard("mode L2 stays")
        self.wait_customers_lease(self.laptop)
        self.assert_reaches_camera()
        self.masterdev("-m", "L3")
        session.wait_heard(r"switching to mode L3[^\0]*established")
        self.assertEqual(self.masterdev("--confirm").returncode, 0)
        self.ask_for_a_lease(self.laptop)
        laptops.wait_lease(self.laptop)
        self.assert_reaches_camera()
        self.assertTrue(session.is_running)
        session.press_ctrl_c()
        self.assert_ends(session, 0, r"session closed: [^\n]*; [3-9]\.\d MB received")

    def test_enter_at_either_terminal_keeps_it_and_what_was_typed_before_does_not(self) -> None:
        self.permit()
        session = self.open_session()
        session.type("\n\n")
        self.masterdev("-m", "L2")
        at = session.wait_heard(ASKED)[1]
        session.type("no\n")
        session.wait_heard("press Enter alone", at)
        self.assertNotIn("stays", session.output)
        session.type("\n")
        session.wait_heard("mode L2 stays", at)
        with Masterdev(self.master, "-m", "L3") as switcher:
            switcher.wait_heard("the mode is L3 now; press Enter within 30 s to keep it, or it returns to L2 by itself")
            switcher.type("\n")
            self.assert_ends(switcher, 0, "mode L3 stays")
        session.wait_heard("mode L3 stays", at)

    def test_a_session_that_is_opened_anew_waits_for_its_mode_to_be_confirmed_as_the_one_before(self) -> None:
        self.permit()
        session = self.open_session()
        self.masterdev("-m", "L2")
        at = session.wait_heard(ASKED)[1]
        for daemon in ("tundev-agent", "tundev-netd"):
            self.master.background(daemon).kill()
        self.lab.daemons.start_device("master")
        session.wait_heard(rf"established anew[^\0]*{ASKED}", at, 40)

    def test_a_mode_that_is_refused_brings_the_one_before_back_at_once(self) -> None:
        session = self.open_session()
        said = self.masterdev("-m", "L2", check=False)
        self.assertEqual(said.returncode, 1)
        self.assertIn("not open to mode L2", said.stderr)
        session.wait_heard(r"back to mode L3: [^\n]*not open to mode L2[^\0]*established")
        self.assert_reaches_camera()

    def test_without_confirmation_the_one_before_comes_back_also_when_who_asked_is_gone(self) -> None:
        self.permit()
        session = self.open_session()
        with Masterdev(self.master, "-m", "L2") as switcher:
            switcher.wait_heard(ASKED)
            switcher.press_ctrl_c()
            self.assert_ends(switcher, 1, "the mode before comes back, unless: masterdev --confirm")
        at = session.wait_heard(rf"established in mode L2[^\0]*{ASKED}")[1]
        self.master.background("tundev-agent").kill()  # the next one counts on
        self.lab.daemons.start_device("master")
        session.wait_heard(r"back to mode L3: nobody confirmed it in time[^\0]*established", at, seconds=45)
        self.ask_for_a_lease(self.laptop)
        laptops.wait_lease(self.laptop)
        self.assert_reaches_camera()
        self.assertEqual([s["mode"] for s in self.sessions()], ["L3"])


class OverSsh(L2Case):
    """The engineer has no terminal at the master: he works on it by ssh from the laptop."""

    def serve_ssh(self) -> str:
        """sshd at the laptop's port, too. @return its IPv6 address there, as the laptop writes it"""
        show = ("ip", "-6", "-o", "addr", "show", "dev", LAPTOP_PORT, "scope", "link", "-tentative")
        port = until("the port's IPv6 address", lambda: self.master.run(*show).stdout, every=0.05)
        link_local = port.split()[3].split("/")[0]
        config = (self.master.directory / "sshd_config").read_text()
        here = f"ListenAddress {EXTREMITY}\nListenAddress {link_local}%{LAPTOP_PORT}\n"
        file = self.master.directory / "sshd_config_port"
        file.write_text(re.sub(r"ListenAddress .*\n", here, config))
        before = len(self.master.background("sshd-port").log)
        sshd = self.master.start("sshd-port", "/usr/sbin/sshd", "-D", "-e", "-f", file)
        self.addCleanup(sshd.kill)
        until("sshd at the laptop's port", lambda: "listening on fe80" in sshd.log[before:], every=0.05)
        return f"{link_local}%eth0"

    def masterdev_by_ssh(self, address: str, *options: str) -> Terminal:
        variables = ("PATH", "DBUS_SYSTEM_BUS_ADDRESS")
        environment = [f"{name}={self.master.environment()[name]}" for name in variables]
        ssh = Terminal(
            self.laptop,
            *("ssh", "-F", self.laptop.directory / "ssh_config", "-tt", address),
            *("env", *environment, "masterdev", *options),
        )
        self.addCleanup(ssh.__exit__)
        return ssh

    def test_who_is_cut_off_by_it_is_warned_and_his_ssh_lives_on_when_mode_l3_is_back(self) -> None:
        self.permit()
        self.serve_dhcp(self.camera)
        self.serve_ssh()
        ssh = self.masterdev_by_ssh(EXTREMITY, "-o", ONSITE, "-m", "L2")
        ssh.wait_heard(r"your ssh comes by that port and will be cut off[^\0]*established in mode L2")
        self.wait_customers_lease(self.laptop)
        self.masterdev("--confirm")  # somebody else does
        self.masterdev("-m", "L3")
        self.masterdev("--confirm")
        self.ask_for_a_lease(self.laptop)
        laptops.wait_lease(self.laptop)
        self.assert_reaches_camera()
        self.assertEqual([s["mode"] for s in self.sessions()], ["L3"])
        ssh.press_ctrl_c()
        until("the end of the session", lambda: not self.sessions(), every=0.05)

    def test_it_is_seen_too_when_he_comes_by_the_ports_ipv6_address(self) -> None:
        self.permit()
        with self.masterdev_by_ssh(self.serve_ssh(), "-o", ONSITE, "-m", "L2") as ssh:
            ssh.wait_heard("your ssh comes by that port and will be cut off")


class TwoCustomers(L2Case):
    def test_two_sessions_of_two_customers_never_see_each_other(self) -> None:
        frames = {}
        for onsite, master, laptop, camera in (
            ("rpi1100", "master", "laptop", "camera"),
            ("rpi1200", "master2", "laptop2", "camera2"),
        ):
            self.permit(onsite)
            self.serve_dhcp(self.lab[camera])
            self.open_session(onsite, "-m", "L2", master=master)
            self.wait_customers_lease(self.lab[laptop])
            frames[laptop] = camera
        for laptop, camera in frames.items():
            self.assert_reaches_camera(laptop, camera)
        for laptop, other in (("laptop", "camera2"), ("laptop2", "camera")):
            neighbours = self.lab[laptop].run("ip", "neigh", "show", "dev", "eth0").stdout
            mac = self.lab[other].run("cat", "/sys/class/net/eth0/address").stdout.strip()
            self.assertNotIn(mac, neighbours)
            with Capture(self.lab[laptop], "eth0") as wire:
                self.lab[other].run("ping", "-n", "-b", "-c3", "-i0.2", "-W1", "192.168.1.255", check=False)
            self.assertEqual(wire.packets(f"ether src {mac}"), [])
