"""The lab's own slow, long and lossy cable: what benchmarks and fault tests stand on."""

from __future__ import annotations

import json
import re

from case import LabCase
from lab.process import LabError, run, until

ROUTER = "router-b"
GATEWAY = "198.51.100.5"  # the internet's end of its cable
LINKS = ("wan0", "rb0")  # the ends of that cable
NUMBERS = ("ifindex", "link_index", "link_netnsid", "promiscuity")
# 1400 bytes every 2 ms, 5.8 Mbit/s, that nobody answers
FLOOD = """
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    while True:
        s.sendto(bytes(1400), ("198.51.100.6", 9))
        time.sleep(0.002)
"""


class EmulatedCable(LabCase):
    def setUp(self) -> None:
        super().setUp()
        self.router = self.lab[ROUTER]
        self.addCleanup(self.lab.emulate_off, ROUTER)

    def pings(self, count: int = 10) -> list[float]:
        """Round trips over the cable that came back, in ms."""
        said = self.router.run("ping", "-n", "-i0.02", "-W1", f"-c{count}", GATEWAY, check=False).stdout
        return [float(ms) for ms in re.findall(r"time=([\d.]+) ms", said)]

    def snapshot(self) -> list[str]:
        """Links, addresses and routes of both ends of the cable, without what the kernel numbers anew."""
        seen = []
        for host in ("internet", ROUTER):
            ip = ["ip", "-n", self.lab[host].netns, "-j"]
            routes = ["route", "show", "table", "all"]
            for what in (["-d", "addr"], ["neigh", "show", "nud", "permanent"], ["-4", *routes], ["-6", *routes]):
                for entry in json.loads(run([*ip, *what]).stdout):
                    if {entry.get("ifname"), entry.get("dev")} & set(LINKS):
                        seen.append(json.dumps({k: v for k, v in entry.items() if k not in NUMBERS}, sort_keys=True))
        return sorted(seen)

    def test_a_delay_is_kept_each_way(self) -> None:
        self.lab.emulate(ROUTER, up={"delay_ms": 30}, down={"delay_ms": 20})
        until("echoes after 50 ms", lambda: self.is_kept(50, 60))
        self.lab.emulate(ROUTER, delay_ms=0)
        until("an echo at once", lambda: min(self.pings(), default=20) < 20)

    def is_kept(self, least_ms: float, usual_ms: float) -> bool:
        """No echo comes too early, ever; False when the machine was not there for most of them."""
        times = self.pings()
        self.assertGreaterEqual(min(times, default=least_ms), least_ms)
        return bool(times) and sorted(times)[len(times) // 2] < usual_ms

    def test_a_full_queue_takes_its_bytes_over_the_rate(self) -> None:
        self.lab.emulate(ROUTER, down={"rate_mbit": 2, "queue_bytes": 50_000})  # 200 ms
        flood = self.lab["internet"].popen("python3", "-c", FLOOD)
        self.addCleanup(flood.wait)
        self.addCleanup(flood.kill)
        until("a full queue", lambda: self.lab.link(ROUTER)["down"]["dropped_queue"] > 20)
        until("an echo from behind the queue", lambda: any(150 < ms < 260 for ms in self.pings(60)))

    def test_a_black_hole_swallows_everything_until_it_ends(self) -> None:
        self.lab.emulate(ROUTER)
        until("an echo", self.pings)
        self.lab.emulate(ROUTER, open=False)
        self.assertEqual(self.pings(3), [])
        self.lab.emulate(ROUTER, open=True)
        until("an echo", lambda: self.pings(2))

    def test_losses_are_as_many_as_asked(self) -> None:
        self.lab.emulate(ROUTER, up={"loss": 20}, seed=3)
        self.router.run("ping", "-n", "-q", "-f", "-c500", "-W1", GATEWAY, check=False)
        up = self.lab.link(ROUTER)["up"]
        self.assertGreater(up["rx_frames"], 490)
        self.assertAlmostEqual(up["dropped_loss"] / up["rx_frames"], 0.2, delta=0.08)

    def test_a_session_goes_on_while_the_cable_is_changed(self) -> None:
        with self.open_session():
            self.assert_reaches_camera()
            number = self.sessions()[0]["id"]
            self.lab.emulate(ROUTER, delay_ms=15)
            self.assert_reaches_camera()
            said = self.ping("laptop", "-i0.2", count=3)
            self.assertGreater(float(said.rsplit("min/avg/max/mdev = ")[1].split("/")[0]), 30)
            self.lab.emulate_off(ROUTER)
            self.assert_reaches_camera()
            self.assertEqual([s["id"] for s in self.sessions()], [number])

    def test_a_plain_cable_is_left_behind(self) -> None:
        before = self.snapshot()
        self.lab.emulate(ROUTER, rate_mbit=1)
        self.assertNotEqual(self.snapshot(), before)
        self.lab.emulate_off(ROUTER)
        until("the plain cable", lambda: self.snapshot() == before)
        self.assertFalse(self.lab.root.joinpath(f"link-{ROUTER}").exists())
        with self.assertRaisesRegex(LabError, "plain"):
            self.lab.link(ROUTER)

    def test_what_makes_no_sense_is_refused(self) -> None:
        with self.assertRaisesRegex(LabError, "router-a"):
            self.lab.emulate("camera")
        with self.assertRaisesRegex(LabError, "rate_mbit"):
            self.lab.emulate(ROUTER, speed=3)
        with self.assertRaisesRegex(LabError, "loss_percent"):
            self.lab.emulate(ROUTER, loss=101)
