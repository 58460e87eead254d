"""A leg dies in a running session: it is noticed, the session resumes, and the laptop's own connections go on unchanged.

In each test the laptop copies 50 MB from the camera and has an ssh open that nobody types into.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import unittest
from collections.abc import Callable
from pathlib import Path

import rdv_client
from fault_case import ALL, FaultCase, Ride, any_error, start_knocking

from lab import people
from lab.process import COMES_S
from lab.topology import CAMERA, DEVICE_LAN, RDV_PORT, ROUTER_LAN

DEVICES = ("onsite", "master")
RESUME_S_MAX = 2.0  # after the way is back
FIRST_BYTE_S_MAX = 0.5  # after the session is resumed
HOLDER = Path(rdv_client.__file__).with_name("hold_socket.py")
NOTICED_S_MAX = 10.0  # while data flows
KEY = "k"  # pressed in the dark, to be told from the others


class ALegIsGone(FaultCase):
    def break_leg(self, name: str, fault: Callable[[str, int], object], device: str) -> None:
        """Noticed within 0.1 s, the copy goes on within 1.5 s at 100 ms round trip."""
        self.way(100)
        ride = Ride(self, f"{name}, {device}'s leg")
        port = self.faults.leg(device)
        ride.strike(lambda: fault(device, port))
        noticed = ride.wait_noticed()
        self.faults.calm(device)
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell()
        # The first packet that meets the fault is half a round trip away from whoever is told.
        self.assert_promised(noticed, 0.1 + self.round_trip_ms / 1000)
        self.assert_promised(again, 1.5)

    def test_by_FIN(self) -> None:
        self.break_leg("FIN", self.faults.fin, self.random.choice(DEVICES))

    def test_by_RST_from_the_middle(self) -> None:
        self.break_leg("RST both ways", self.faults.reset, self.random.choice(DEVICES))

    def test_by_RST_of_one_end(self) -> None:
        self.break_leg("socket destroyed", self.faults.kill_socket, "onsite")

    def test_by_a_router_that_forgets_its_connections_and_gives_out_other_ports(self) -> None:
        self.way(100)
        ride = Ride(self, "NAT forgotten, other ports")
        ride.strike(lambda: self.faults.change_nat("onsite"))
        noticed = ride.wait_noticed()
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell()
        self.assert_promised(noticed, 3.0)
        self.assert_promised(again, 3.0)

    def test_by_another_address_of_the_uplink(self) -> None:
        """The master's: that of an onsite is also the one the customer's hosts know the laptop by, and their connections end."""
        old, new = "192.168.1.10/24", "192.168.1.77/24"
        self.addCleanup(self.faults.new_address, "master", "eth0", new, old, ROUTER_LAN)
        self.way(100)
        ride = Ride(self, "new address on the master's uplink")
        ride.strike(lambda: self.faults.new_address("master", "eth0", old, new, ROUTER_LAN))
        noticed = ride.wait_noticed()
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell()
        self.assert_promised(noticed, 3.0)
        self.assert_promised(again, 3.0)

    def test_by_another_address_on_the_customers_lan_the_session_lives_and_takes_new_connections(self) -> None:
        """The laptop's connections cannot: the customer's hosts know it by the onsite's address, and that is gone."""
        old, new = f"{DEVICE_LAN}/24", "192.168.1.77/24"
        self.addCleanup(self.faults.new_address, "onsite", "eth0", new, old, ROUTER_LAN)
        self.way(100)
        ride = Ride(self, "new address on the customer's LAN", with_copy=False)
        ride.strike(lambda: self.faults.new_address("onsite", "eth0", old, new, ROUTER_LAN))
        noticed = ride.wait_noticed()
        ride.again_s = ride.wait_resumed()
        self.assert_reaches_camera()
        self.assertIn("192.168.1.77", self.ssh(CAMERA, "echo $SSH_CONNECTION"))
        ride.tell("; the laptop begins anew")
        self.assert_promised(noticed, 3.0)
        self.assert_promised(ride.again_s, 3.0)


class ABlackHole(FaultCase):
    def swallow(self, seconds: float, device: str) -> None:
        self.way(100)
        ride = Ride(self, f"black hole of {seconds:g} s at the {device} with data flowing")
        ride.strike(lambda: self.faults.black_hole(device))
        ride.shell.press(KEY)
        patience = seconds if seconds <= NOTICED_S_MAX else COMES_S  # a longer one lasts until it is noticed
        quiet = any_error(lambda: ride.wait_noticed(patience))
        time.sleep(max(0.0, ride.struck + seconds - time.monotonic()))
        ride.over(lambda: self.faults.mend(device))
        resumed = 0.0 if quiet else ride.wait_resumed()
        ride.shell.wait_echo(KEY)
        again = ride.wait_goes_on()
        if quiet:  # the leg itself lived through it
            ride.tell()
        else:
            ride.tell(f"; resumed {resumed:.2f} s after the way was back, first byte {ride.again - ride.resumed:+.2f} s")
            self.assert_promised(ride.noticed_s, NOTICED_S_MAX)
            self.assert_promised(resumed, RESUME_S_MAX)
            self.assert_promised(ride.again - ride.resumed, FIRST_BYTE_S_MAX)
        self.assertTrue(not quiet or seconds <= NOTICED_S_MAX, "a black hole of more than 10 s was not noticed")
        self.assert_promised(again, RESUME_S_MAX + FIRST_BYTE_S_MAX)

    def test_of_5_seconds(self) -> None:
        self.swallow(5, self.random.choice(DEVICES))

    def test_of_12_seconds(self) -> None:
        self.swallow(12, "onsite")

    @unittest.skipUnless(ALL, "takes long: RDV_FAULT_ALL=1")
    def test_of_20_seconds(self) -> None:
        self.swallow(20, "master")

    @unittest.skipUnless(ALL, "takes long: RDV_FAULT_ALL=1")
    def test_of_40_seconds(self) -> None:
        self.swallow(40, "onsite")

    def test_on_an_idle_session(self) -> None:
        device = self.random.choice(DEVICES)
        self.way(100)
        ride = Ride(self, f"black hole at the {device}, idle session", with_copy=False)
        ride.strike(lambda: self.faults.black_hole(device))
        noticed = ride.wait_noticed()
        ride.shell.press(KEY)  # it waits in the dark for the new leg
        ride.over(lambda: self.faults.mend(device))
        resumed = ride.wait_resumed()
        echo = ride.shell.wait_echo(KEY)
        ride.again_s = echo - ride.back
        ride.tell(f"; resumed {resumed:.2f} s after the way was back, first byte {echo - ride.resumed:+.2f} s")
        self.assert_promised(noticed, 15.0)
        self.assert_promised(resumed, RESUME_S_MAX)
        self.assert_promised(echo - ride.resumed, FIRST_BYTE_S_MAX)


class TheServer(FaultCase):
    def restart(self, name: str, stop: Callable[[], object], down_s: float, again_max: float) -> None:
        self.way(100)
        ride = Ride(self, name)
        server = self.rdv.background("rdv-server")
        ride.strike(stop)
        time.sleep(down_s)
        self.lab.daemons.start_server()
        noticed = ride.wait_noticed()
        ride.wait_resumed()
        again = ride.wait_goes_on()
        ride.tell()
        self.assertTrue(server.pid)
        self.assert_promised(noticed, 0.1 + self.round_trip_ms / 1000)
        self.assert_promised(again, again_max)
        self.assertEqual(len(self.sessions()), 1)

    def test_killed_and_restarted_after_1_second(self) -> None:
        self.restart("server kill -9, started 1 s later", self.rdv.background("rdv-server").kill, 1.0, 5.0)

    def test_stopped_and_started_again(self) -> None:
        self.restart("server SIGTERM, started at once", self.rdv.background("rdv-server").stop, 0.0, 3.0)

    def test_exchanged_behind_its_listening_socket_refuses_nobody(self) -> None:
        """As `systemctl restart rdv-server` with rdv-server.socket: systemd keeps the socket."""
        server = self.rdv.background("rdv-server")
        server.stop()
        self.addCleanup(server.stop)
        holder = self.rdv.popen("python3", HOLDER, "hold", RDV_PORT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(holder.__exit__, None, None, None)
        self.assertEqual(holder.stdout.readline(), "listening\n")
        self.start_behind(holder.pid)
        self.lab.daemons.wait_online(["rpi1100", "master"])
        self.way(100)
        ride = Ride(self, "server SIGTERM, started again behind its socket")
        knocking = self.knocking()
        ride.strike(server.stop)
        self.start_behind(holder.pid)
        ride.wait_noticed()
        ride.wait_resumed()
        ride.wait_goes_on()
        counts = json.loads(knocking.communicate("\n", timeout=60)[0])
        ride.tell(f"; {counts['connected']} connections taken and {counts['refused']} refused meanwhile")
        self.assertEqual(counts["refused"], 0)
        self.assertGreater(counts["connected"], 50)
        self.assert_promised(ride.again_s, 3.0)

    def knocking(self) -> subprocess.Popen:
        knocking = start_knocking(self.lab)
        self.addCleanup(knocking.__exit__, None, None, None)
        return knocking

    def start_behind(self, holder: int) -> None:
        server = self.rdv.background("rdv-server")
        command = people.SERVER.command() + ["rdv-server", "--config", str(self.rdv.directory / "server.toml")]
        server.start(self.rdv.command(["python3", HOLDER, "run", holder, *command]), self.rdv.environment())
        self.rdv.wait_bus_name("org.rdv.Server1", server)


class Frozen(FaultCase):
    """SIGSTOP: a process that is there and does nothing."""

    FROZEN_S = 30
    AGAIN_S_MAX = 15.0  # the laptop's TCP may have to wait for its own next attempt

    def freeze(self, host: str, daemon: str) -> None:
        self.way(100)
        ride = Ride(self, f"{daemon} on {host} stopped for {self.FROZEN_S} s")
        process = self.lab[host].background(daemon)
        self.addCleanup(process.signal, signal.SIGCONT)
        ride.strike(lambda: process.signal(signal.SIGSTOP))
        if host != "master":
            ride.wait_noticed(self.FROZEN_S)
        time.sleep(max(0.0, ride.struck + self.FROZEN_S - time.monotonic()))
        ride.over(lambda: process.signal(signal.SIGCONT))
        if host == "master":  # only now it can tell its engineer
            ride.wait_noticed()
        ride.wait_resumed()
        ride.wait_goes_on()
        ride.tell()
        if host != "master":
            self.assert_promised(ride.noticed_s, 15.0)
        self.assert_promised(ride.again_s, self.AGAIN_S_MAX)

    @unittest.skipUnless(ALL, "takes long: RDV_FAULT_ALL=1")
    def test_server(self) -> None:
        self.freeze("rdv", "rdv-server")

    @unittest.skipUnless(ALL, "takes long: RDV_FAULT_ALL=1")
    def test_agent_of_the_onsite(self) -> None:
        self.freeze("onsite", "tundev-agent")

    @unittest.skipUnless(ALL, "takes long: RDV_FAULT_ALL=1")
    def test_agent_of_the_master(self) -> None:
        self.freeze("master", "tundev-agent")


class AnEndStaysAnEnd(FaultCase):
    """What somebody wanted never resumes."""

    def interrupted(self) -> Ride:
        self.way(100)
        ride = Ride(self, "", with_copy=False)
        ride.strike(lambda: self.faults.black_hole("onsite"))
        ride.wait_noticed()
        return ride

    def test_when_it_was_closed_at_the_server_while_it_was_interrupted(self) -> None:
        ride = self.interrupted()
        self.rdvctl("session", "close", self.sessions()[0]["id"])
        self.assert_ends(ride.session, 1, "administrator")
        self.faults.mend("onsite")
        self.lab.daemons.wait_online(["rpi1100"])
        self.assertEqual(self.sessions(), [])
        self.assert_unreachable(CAMERA)

    def test_when_the_engineer_ended_it_while_it_was_interrupted(self) -> None:
        ride = self.interrupted()
        ride.session.press_ctrl_c()
        ride.session.wait_end()
        self.faults.mend("onsite")
        self.lab.daemons.wait_online(["rpi1100"])
        self.assertEqual(self.sessions(), [])
        self.assert_unreachable(CAMERA)
