"""How a device gets to its server: through a proxy, to one of several servers, over IPv6 and IPv4."""

from __future__ import annotations

import re
import shutil
import time

from case import LabCase

from lab import proxy
from lab.daemons import device_name
from lab.people import OPERATOR
from lab.process import COMES_S, until
from lab.topology import DEVICE_LAN, PROXY, RDV_ADDRESS, RDV_ADDRESS6, RDV_PORT, ROUTER_LAN

DEAD, DEAD6 = "203.0.113.99", "2001:db8:113::99"  # swallowed on the way: no answer, no ICMP
DOMAIN = "rdv.test"
PROXY_ONLY = f"""
table inet lab_proxy_only {{
  counter stopped {{ }}
  chain forward {{ type filter hook forward priority -10;
    ip saddr {DEVICE_LAN} counter name stopped drop
    ip6 saddr 2001:db8:b0:1::10 counter name stopped drop
  }}
}}
"""
SILENT_NAMES = """
table inet lab_silent {
  chain input { type filter hook input priority 0; udp dport 53 drop; }
}
"""
NAMES = (
    f"--host-record=both.{DOMAIN},{RDV_ADDRESS},{RDV_ADDRESS6}",
    f"--host-record=half.{DOMAIN},{RDV_ADDRESS},{DEAD6}",
    f"--host-record=dead.{DOMAIN},{DEAD}",
    f"--srv-host=_rdv._tcp.cluster.{DOMAIN},dead.{DOMAIN},{RDV_PORT},10,0",
    f"--srv-host=_rdv._tcp.cluster.{DOMAIN},both.{DOMAIN},{RDV_PORT},20,0",
)


class DiallingCase(LabCase):
    """The onsite is configured anew by each test, and as ever afterwards."""

    def setUp(self) -> None:
        super().setUp()
        self.agent = self.onsite.background("tundev-agent")
        self.config = self.onsite.directory / "device.toml"
        self.usual = self.config.read_text()
        self.addCleanup(self.configure, "")

    def configure(self, more: str) -> float:
        """Starts the agent with more lines in its configuration; answers when."""
        self.agent.stop()
        self.config.write_text(f"{self.usual}\n{more}")
        started = time.monotonic()
        self.lab.daemons.start_device("onsite")
        return started

    def status(self) -> str:
        return self.onsite.run("tundev", "status", privileges=OPERATOR, check=False).stdout

    def wait_status(self, words: str, seconds: float = COMES_S) -> str:
        """Waits until `tundev status` says this (a regular expression), and answers all that it says then."""

        def said() -> str:
            return status if re.search(words, status := self.status()) else ""

        return until(f"the status {words!r}", said, seconds, 0.1)

    def wait_online(self, since: float, seconds: float = 60) -> float:
        """Waits until the onsite is connected; answers how long it took."""
        self.wait_status(r"connected to \S+ (through the proxy \S+ )?since", seconds)
        took = time.monotonic() - since
        print(f"       connected after {took:.1f} s")
        self.lab.daemons.wait_online([device_name("onsite")])
        return took

    def assert_a_session_works(self) -> None:
        self.open_session()
        self.assert_reaches_camera()


class ThroughAProxy(DiallingCase):
    """The customer's router lets the onsite reach nothing; the proxy beside it may."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy = self.lab["proxy"]
        self.router = self.lab["router-b"]
        self.agent.stop()  # while it can still close its connection
        self.router.run("nft", "-f", "-", stdin=PROXY_ONLY)
        self.addCleanup(self.router.run, "nft", "delete table inet lab_proxy_only")
        self.addCleanup(proxy.stop, self.proxy)

    def url(self, login: str = "") -> str:
        return f'[proxy]\nurl = "http://{login}{PROXY}:{proxy.PORT}"\n'

    def with_password(self, password: str) -> str:
        """The configuration with user and password, the latter in a file of its own."""
        file = self.onsite.directory / "proxy.password"
        file.write_text(f"{password}\n")
        file.chmod(0o600)
        shutil.chown(file, "rdv-tundev", "rdv-tundev")
        return self.url() + f'user = "{proxy.USER}"\npassword_file = "{file}"\n'

    def forget(self) -> None:
        """The onsite is as new, and the server does not know it."""
        self.rdvctl("device", "remove", device_name("onsite"))
        self.agent.stop()
        for file in (self.onsite.directory / "state").iterdir():
            file.unlink()

    def enrol_anyhow(self) -> None:
        """So that a failed test does not take the others with it."""
        if not (self.onsite.directory / "state" / "identity.toml").exists():
            self.forget()
            self.router.run("nft", "flush chain inet lab_proxy_only forward")
            self.configure("")
            self.lab.daemons.enrol("onsite")

    def assert_password_is_kept(self, password: str) -> None:
        for text in (self.agent.log, self.status()):
            self.assertNotIn(password, text)

    def test_a_proxy_without_a_login_carries_control_and_session(self) -> None:
        proxy.start(self.proxy)
        self.wait_online(self.configure(self.url()))
        self.assertIn(f"through the proxy {PROXY}:{proxy.PORT}", self.status())
        self.assert_a_session_works()
        established = self.proxy.run("ss", "-Htn", "state", "established", f"sport = :{proxy.PORT}").stdout
        self.assertGreaterEqual(len(established.splitlines()), 2, "control and leg go through it")

    def test_a_proxy_with_basic_gets_the_password_from_the_url(self) -> None:
        proxy.start(self.proxy, "basic")
        self.wait_online(self.configure(self.url(f"{proxy.USER}:se%3Acr%40t%25@")))
        self.assert_a_session_works()
        self.assert_password_is_kept(proxy.PASSWORD)

    def test_a_proxy_with_digest_carries_enrolment_and_session(self) -> None:
        proxy.start(self.proxy, "digest")
        self.addCleanup(self.enrol_anyhow)
        self.forget()
        started = self.configure(self.with_password(proxy.PASSWORD))
        self.lab.daemons.enrol("onsite")
        self.wait_online(started)
        self.assert_a_session_works()
        self.assert_password_is_kept(proxy.PASSWORD)

    def test_a_wrong_password_is_said_and_not_shown_and_seldom_tried(self) -> None:
        proxy.start(self.proxy, "digest")
        offset = len(self.agent.log)
        self.configure(self.with_password("not-the-password"))
        said = self.wait_status(f"does not accept the password of user '{proxy.USER}'")
        self.assertIn("[proxy] in device.toml", said)
        self.assertIn("so that the account is not locked", said)
        until("the next attempt", lambda: re.search(r'not connected.*seconds="\d+"', self.agent.log[offset:]))
        pauses = re.findall(r'not connected.*seconds="(\d+)"', self.agent.log[offset:])
        self.assertGreaterEqual(int(pauses[0]), 150)
        self.assert_password_is_kept("not-the-password")
        self.configure(self.url())
        self.wait_status("wants a user and a password")

    def test_a_proxy_that_inspects_tls_is_reported_as_what_it_is(self) -> None:
        proxy.start(self.proxy, inspects=True)
        self.configure(self.url())
        said = self.wait_status("TLS is intercepted")
        self.assertIn(f"the certificate for {RDV_ADDRESS}:{RDV_PORT} was issued by '{proxy.INSPECTOR}'", said)
        self.assertIn(f"exempt {RDV_ADDRESS}:{RDV_PORT} from inspection", said)

    def test_a_proxy_that_is_not_there_is_said(self) -> None:
        self.configure(self.url())
        self.wait_status(f"the proxy {PROXY}:{proxy.PORT} cannot be reached: Connection refused")


class ThroughAFirewallThatOpensTls(DiallingCase):
    """Nobody told the device of a proxy: the customer's router answers in the server's place."""

    def test_it_is_reported_as_what_it_is(self) -> None:
        router = self.lab["router-b"]
        self.addCleanup(proxy.stop_firewall, router)
        self.agent.stop()
        proxy.start_firewall(router, ROUTER_LAN, DEVICE_LAN)
        self.configure("")
        said = self.wait_status("TLS is intercepted")
        self.assertIn(f"the certificate for {RDV_ADDRESS}:{RDV_PORT} was issued by '{proxy.INSPECTOR}'", said)
        self.assertIn(f"exempt {RDV_ADDRESS}:{RDV_PORT} from inspection", said)
        proxy.stop_firewall(router)
        self.wait_online(self.configure(""))


class ToSeveralServers(DiallingCase):
    """Names are served on the proxy's host, in the onsite's LAN; dead addresses swallow what comes."""

    def setUp(self) -> None:
        super().setUp()
        internet, names = self.lab["internet"], self.lab["proxy"]
        for address in (f"{DEAD}/32", f"{DEAD6}/128"):
            internet.run("ip", "route", "add", "blackhole", address)
            self.addCleanup(internet.run, "ip", "route", "del", "blackhole", address)
        served = names.start(
            "dnsmasq",
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts"),
            *("--bind-interfaces", f"--listen-address={PROXY}", "--user=nobody", "--group=nogroup", *NAMES),
        )
        self.addCleanup(served.stop)
        until("the name server", lambda: names.listens(53, udp=True))
        self.resolv = self.onsite.etc / "resolv.conf"
        self.addCleanup(self.resolv.write_text, self.resolv.read_text())
        self.resolv.write_text(f"nameserver {PROXY}\n")

    def server(self, *addresses: str) -> str:
        return f"[server]\naddress = [{', '.join(repr(a) for a in addresses)}]\n"

    def test_a_dead_first_server_costs_three_seconds_at_most(self) -> None:
        took = self.wait_online(self.configure(self.server(f"{DEAD}:{RDV_PORT}", f"{RDV_ADDRESS}:{RDV_PORT}")))
        self.assertGreater(took, 2.5, "the first one was not tried")
        self.assert_within(took, 10)
        self.assert_a_session_works()

    def test_srv_records_name_the_servers_in_their_order(self) -> None:
        self.wait_online(self.configure(self.server(f"cluster.{DOMAIN}:{RDV_PORT}")))
        self.assertIn(f"connected to both.{DOMAIN}:{RDV_PORT}", self.status())
        self.assert_a_session_works()

    def test_ipv6_is_taken_when_there_is_both(self) -> None:
        self.wait_online(self.configure(self.server(f"both.{DOMAIN}:{RDV_PORT}")))
        self.assertIn("2001:db8:b0", self.lab.daemons.device_list()["rpi1100"]["public_address"])
        self.assert_a_session_works()

    def test_a_dead_ipv6_path_costs_a_quarter_of_a_second(self) -> None:
        took = self.wait_online(self.configure(self.server(f"half.{DOMAIN}:{RDV_PORT}")))
        self.assertIn("198.51.100.6", self.lab.daemons.device_list()["rpi1100"]["public_address"])
        self.assert_within(took, 5)
        self.assert_a_session_works()

    def test_a_name_server_that_hangs_is_given_up_and_asked_again(self) -> None:
        names = self.lab["proxy"]
        names.run("nft", "-f", "-", stdin=SILENT_NAMES)
        self.addCleanup(names.run, "nft", "delete table inet lab_silent", check=False)
        self.configure(self.server(f"both.{DOMAIN}:{RDV_PORT}"))
        self.wait_status("its name cannot be resolved")
        names.run("nft", "delete table inet lab_silent")
        self.wait_online(time.monotonic())
