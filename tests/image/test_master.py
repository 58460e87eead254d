"""A master from the SD card, from the first boot to the laptop's view of a customer's network."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from world import IN_CUSTOMERS_LAN, NAME, world

from lab.daemons import device_name
from lab.process import until
from lab.session import Session
from lab.topology import CAMERA, EXTREMITY

ASK = Path(__file__).with_name("ask_name.py")
OPEN_SECONDS = 60
END_SECONDS = 30
STATUS_SECONDS = 60
NAME_SECONDS = 30
MDNS_GROUP = "224.0.0.251"
# What tundev-netd asks of the kernel in a session of either mode and role, and tundev-agent of its connections.
MODULES = "tun nft_ct nft_chain_nat nft_masq nft_limit nft_reject_inet nft_fwd_netdev nft_dup_netdev".split()
MODULES += "nf_conntrack_netlink sch_ingress cls_u32 act_mirred tcp_bbr".split()


class AMasterFromTheCard(unittest.TestCase):
    def on_it(self, *argv: str) -> str:
        return world().master.run(*argv).stdout

    def test_1_boots_with_nothing_failed(self) -> None:
        world().boot()
        print(f"       ready {world().boot_seconds} s after the kernel began")
        self.assertEqual(self.on_it("systemctl", "--failed", "--plain", "--no-legend").strip(), "")
        self.assertEqual(self.on_it("findmnt", "--noheadings", "--output=FSTYPE", "/").strip(), "overlay")
        self.assertIn("ro,", self.on_it("findmnt", "--noheadings", "--output=OPTIONS", "/run/card/root"))
        self.assertEqual(set(MODULES) - set(self.on_it("ls", "/sys/module").split()), set())

    def test_2_has_become_what_the_file_on_the_card_said(self) -> None:
        world().enrol()
        master = world().master
        until("the status on the card", lambda: NAME in master.read_card("rdv-status.txt"), STATUS_SECONDS, 0.5)
        until("the end of the code on the card", lambda: not master.read_card("rdv-provision.toml"), STATUS_SECONDS, 0.5)
        self.assertEqual(self.on_it("hostname").strip(), NAME)

    def test_3_has_no_password_and_no_login_but_by_key(self) -> None:
        world().boot()
        self.assertEqual(self.on_it("sh", "-c", r"grep -cv '^[^:]*:[!*]' /etc/shadow || true").strip(), "0")
        settings = self.on_it("sshd", "-T")
        for line in ("passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin without-password"):
            self.assertIn(line, settings)
        self.assertNotIn("login:", world().master.console())

    def test_4_gives_the_laptop_an_address(self) -> None:
        lease = world().plug()
        self.assertEqual(lease["router"], EXTREMITY)

    def test_5_leaves_the_laptops_port_alone_whatever_it_is_called(self) -> None:
        """As on a board where it is eth0, which the system would ask for an address."""
        world().plug()
        port = self.laptops_port()
        folder, any_port = "/run/systemd/network", f"[Match]\nName={port}\n\n[Network]\nDHCP=yes\n"
        self.on_it("sh", "-c", f"mkdir -p {folder}; printf '{any_port}' >{folder}/80-any.network; networkctl reload")
        self.assertRegex(self.on_it("networkctl", "--no-legend", "list", port), r"\bunmanaged\s*$")
        self.on_it("sh", "-c", f"rm {folder}/80-any.network; networkctl reload")

    def test_6_is_found_by_its_name_at_the_laptops_port_only(self) -> None:
        world().plug()
        name = f"{self.on_it('hostname').strip()}.local"
        self.assertEqual(world().laptop.run("python3", ASK, name, "eth0", NAME_SECONDS).stdout.strip(), EXTREMITY)
        self.assertEqual(self.where_it_hears_names(), {self.laptops_port()})

    def laptops_port(self) -> str:
        return next(port["name"] for port in json.loads(self.on_it("tundev", "status", "--json"))["ports"] if port["laptop"])

    def where_it_hears_names(self) -> set[str]:
        """The links on which the kernel takes questions for names (RFC 6762)."""
        links = json.loads(self.on_it("ip", "-json", "maddress"))
        return {link["ifname"] for link in links if any(a.get("address") == MDNS_GROUP for a in link["maddr"])}

    def test_7_joins_the_laptop_to_the_customers_lan(self) -> None:
        world().plug()
        onsite = device_name("onsite")
        world().lab.daemons.rdvctl("device", "l2", onsite, "on")
        with Session(world().master, onsite, "-m", "L2") as session:
            session.wait_established(OPEN_SECONDS)
            self.assertIn(f"You are {IN_CUSTOMERS_LAN.partition('/')[0]}.", world().page_in_the_customers_lan())

    def test_8_takes_the_laptop_to_the_customers_camera_until_it_is_unplugged(self) -> None:
        world().plug()
        with Session(world().master, device_name("onsite")) as session:
            session.wait_established(OPEN_SECONDS)
            page = world().laptop.run("curl", "-sS", "--max-time", 30, f"http://{CAMERA}/").stdout
            self.assertIn("camera", page)
            world().unplug()
            self.assertEqual(session.wait_end(END_SECONDS), 1, session.output)
            self.assertIn("unplugged", session.output)
        until("the end of the answers to its name", lambda: not self.where_it_hears_names(), END_SECONDS, 0.5)

    def test_9_is_the_same_after_the_power_was_cut(self) -> None:
        world().enrol()
        before = world().identity()
        world().master.power_off()
        world().master.check_card()
        world().master.power_on()
        world().master.wait_ready()
        self.assertEqual(world().identity(), before)
        world().lab.daemons.wait_online([NAME], OPEN_SECONDS)
