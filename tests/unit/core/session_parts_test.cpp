#define BOOST_TEST_MODULE session_parts
#include "base/endian.hpp"
#include "core/echo_probe.hpp"
#include "core/packet_rules.hpp"
#include "core/reconnect.hpp"
#include "core/session_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace tunnel;
using namespace tunnel::core;
using namespace std::chrono_literals;
using Action = SessionWatch::Action;

namespace {

const Clock::time_point t0{1h};
constexpr auto random_max = std::numeric_limits<std::uint64_t>::max();

Ipv4Address address(std::string_view text) {
  return *Ipv4Address::parse(text);
}

SessionWatch::Times times(bool probes) {
  return {.probes = probes,
          .ends = t0 + 10h,
          .alive = {5s, 10s},
          .echo_timeout = 10s,
          .key_update_after = 1h};
}

wire::PacketView packet(std::string_view from, std::string_view to) {
  return {.source = address(from), .destination = address(to)};
}

/// The kernel's answer to `request`: addresses and type turned round.
EchoProbe::Payload answer_to(EchoProbe::Payload request) {
  const auto ip = std::span{request}.subspan(wire::vnet_header_bytes);
  std::swap_ranges(ip.begin() + 12, ip.begin() + 16, ip.begin() + 16);
  ip[20] = std::byte{0};
  return request;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_master_asks_at_once_and_every_200_ms_until_answered) {
  SessionWatch watch{times(true), t0};
  BOOST_CHECK(watch.on_deadline(t0) == Action::send_echo);
  BOOST_CHECK(watch.on_deadline(t0) == Action::none);
  BOOST_CHECK(watch.next_deadline() == t0 + 200ms);
  BOOST_CHECK(watch.on_deadline(t0 + 200ms) == Action::send_echo);
  watch.on_echo_answered();
  BOOST_CHECK(watch.on_deadline(t0 + 400ms) == Action::none);
  BOOST_CHECK(watch.next_deadline() == t0 + 5s);
}

BOOST_AUTO_TEST_CASE(a_path_without_echo_is_given_up) {
  SessionWatch watch{times(true), t0};
  watch.on_received(t0 + 9s);
  BOOST_CHECK(watch.on_deadline(t0 + 10s) == Action::no_echo);
}

BOOST_AUTO_TEST_CASE(an_onsite_asks_for_no_echo) {
  SessionWatch watch{times(false), t0};
  BOOST_CHECK(watch.on_deadline(t0 + 4s) == Action::none);
  BOOST_CHECK(watch.next_deadline() == t0 + 5s);
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_asked_and_then_lost) {
  SessionWatch watch{times(false), t0};
  BOOST_CHECK(watch.on_deadline(t0 + 5s) == Action::send_alive);
  BOOST_CHECK(watch.on_deadline(t0 + 14s) == Action::none);
  BOOST_CHECK(watch.on_deadline(t0 + 15s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(any_frame_keeps_a_session_alive) {
  SessionWatch watch{times(false), t0};
  for (auto now = t0; now < t0 + 30min; now += 4s) {
    watch.on_received(now);
    BOOST_REQUIRE(watch.on_deadline(now) == Action::none);
  }
}

BOOST_AUTO_TEST_CASE(silence_with_packets_under_way_is_a_loss_after_8_s) {
  SessionWatch watch{times(false), t0};
  watch.on_received(t0 + 1s);
  watch.on_flight(true, t0 + 2s);
  BOOST_CHECK(watch.on_deadline(t0 + 6s) == Action::send_alive);
  BOOST_CHECK(watch.on_deadline(t0 + 10s - 1ms) == Action::none);
  BOOST_CHECK(watch.next_deadline() == t0 + 10s);
  BOOST_CHECK(watch.on_deadline(t0 + 10s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(more_packets_into_the_silence_do_not_put_off_the_loss) {
  SessionWatch watch{times(false), t0};
  for (auto now = t0; now < t0 + 8s; now += 100ms) {
    watch.on_flight(true, now);
    BOOST_REQUIRE(watch.on_deadline(now) != Action::peer_lost);
  }
  BOOST_CHECK(watch.on_deadline(t0 + 8s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(anything_received_is_progress) {
  SessionWatch watch{times(false), t0};
  watch.on_flight(true, t0);
  for (auto now = t0; now < t0 + 10min; now += 4900ms) {
    watch.on_received(now);
    BOOST_REQUIRE(watch.on_deadline(now) == Action::none);
    BOOST_REQUIRE(watch.on_deadline(now + 4800ms) == Action::none);
  }
}

BOOST_AUTO_TEST_CASE(a_session_whose_packets_are_all_acknowledged_is_idle) {
  SessionWatch watch{times(false), t0};
  watch.on_flight(true, t0 + 4s);
  watch.on_flight(false, t0 + 4s + 100ms);
  BOOST_CHECK(watch.on_deadline(t0 + 5s) == Action::send_alive);
  BOOST_CHECK(watch.on_deadline(t0 + 14s) == Action::none);
  BOOST_CHECK(watch.on_deadline(t0 + 15s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(silence_counts_from_the_packet_that_began_it) {
  SessionWatch watch{times(false), t0};
  BOOST_CHECK(watch.on_deadline(t0 + 5s) == Action::send_alive);
  watch.on_flight(true, t0 + 6s);
  BOOST_CHECK(watch.next_deadline() == t0 + 14s);  // earlier than 15 s: the timer is to be set anew
  BOOST_CHECK(watch.on_deadline(t0 + 14s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(a_watchdog_that_did_not_run_takes_its_own_sleep_for_no_silence) {
  SessionWatch watch{times(false), t0};
  watch.on_flight(true, t0);
  BOOST_CHECK(watch.on_deadline(t0 + 30s) == Action::send_alive);  // SIGSTOP for 30 s
  BOOST_CHECK(watch.on_deadline(t0 + 30s) == Action::none);
  BOOST_CHECK(watch.on_deadline(t0 + 38s) == Action::peer_lost);
}

BOOST_AUTO_TEST_CASE(a_master_without_an_echo_has_no_stall) {
  SessionWatch watch{times(true), t0};
  watch.on_flight(true, t0);
  for (auto now = t0; now < t0 + 10s; now += 200ms)
    BOOST_REQUIRE(watch.on_deadline(now) != Action::peer_lost);
  BOOST_CHECK(watch.on_deadline(t0 + 10s) == Action::no_echo);
}

BOOST_AUTO_TEST_CASE(a_segment_that_is_lost_four_times_is_no_dead_peer) {
  // 20 % loss and 200 ms: what the other end says comes with its fourth repetition (TLP, RFC 6298).
  SessionWatch watch{times(false), t0};
  for (auto now = t0; now < t0 + 10min; now += 6200ms) {
    watch.on_received(now);
    watch.on_flight(true, now);
    for (const auto later : {500ms, 1300ms, 2900ms, 6100ms})
      BOOST_REQUIRE(watch.on_deadline(now + later) != Action::peer_lost);
  }
}

BOOST_AUTO_TEST_CASE(keys_are_renewed_every_hour) {
  SessionWatch watch{times(false), t0};
  watch.on_received(t0 + 1h);
  BOOST_CHECK(watch.on_deadline(t0 + 1h) == Action::update_key);
  BOOST_CHECK(watch.on_deadline(t0 + 1h) == Action::none);
  watch.on_received(t0 + 2h);
  BOOST_CHECK(watch.on_deadline(t0 + 2h) == Action::update_key);
}

BOOST_AUTO_TEST_CASE(the_time_limit_ends_a_session_whatever_else_is_due) {
  SessionWatch watch{times(true), t0};
  BOOST_CHECK(watch.on_deadline(t0 + 10h) == Action::time_limit);
}

BOOST_AUTO_TEST_CASE(an_echo_request_is_a_packet_that_the_tunnel_may_carry) {
  const EchoProbe probe{address("192.168.200.6"), address("192.168.200.5"), 0x1122334455667788};
  const auto request = probe.request(3);
  const auto checked = wire::check_packet(request);
  BOOST_REQUIRE(checked.has_value());
  BOOST_TEST(checked->source.str() == "192.168.200.6");
  BOOST_TEST(checked->destination.str() == "192.168.200.5");
  std::uint32_t sum = 0;  // RFC 1071: with a good checksum the sum is all ones
  for (std::size_t i = 0; i < 20; i += 2)
    sum += load_big_endian<std::uint16_t>(checked->ip.subspan(i, 2));
  BOOST_TEST((sum & 0xffffU) + (sum >> 16U) == 0xffffU);
}

BOOST_AUTO_TEST_CASE(only_the_answer_to_our_own_echo_is_taken) {
  const EchoProbe probe{address("192.168.200.6"), address("192.168.200.5"), 0x1122334455667788};
  const EchoProbe another{address("192.168.200.6"), address("192.168.200.5"), 0x1122334455667789};
  const auto answer = answer_to(probe.request(1));
  const auto request = probe.request(1);
  BOOST_TEST(probe.is_answer(*wire::check_packet(answer)));
  BOOST_TEST(!another.is_answer(*wire::check_packet(answer)));
  BOOST_TEST(!probe.is_answer(*wire::check_packet(request)));
}

BOOST_AUTO_TEST_CASE(an_onsite_takes_packets_of_the_master_to_single_hosts_only) {
  const PacketRules rules{wire::Role::onsite, address("192.168.200.6")};
  BOOST_TEST(rules.accepts(packet("192.168.200.6", "192.168.1.50")));
  BOOST_TEST(rules.accepts(packet("192.168.200.6", "192.168.200.5")));
  BOOST_TEST(!rules.accepts(packet("192.168.38.226", "192.168.1.50")));
  for (const auto* to : {"127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "0.0.0.0",
                         "240.0.0.1", "192.168.200.6"})
    BOOST_TEST(!rules.accepts(packet("192.168.200.6", to)), to);
}

BOOST_AUTO_TEST_CASE(a_master_takes_packets_to_its_own_tunnel_address_only) {
  const PacketRules rules{wire::Role::master, address("192.168.200.6")};
  BOOST_TEST(rules.accepts(packet("192.168.1.50", "192.168.200.6")));
  BOOST_TEST(!rules.accepts(packet("192.168.1.50", "192.168.1.10")));
  BOOST_TEST(!rules.accepts(packet("127.0.0.1", "192.168.200.6")));
}

BOOST_AUTO_TEST_CASE(reconnects_are_spread_and_capped_at_30_s) {
  Reconnect reconnect;
  for (int i = 0; i < 20; ++i)
    BOOST_TEST((reconnect.next(t0, random_max) <= 30s));
  BOOST_TEST((reconnect.next(t0, random_max) == 30s));
  BOOST_TEST((reconnect.next(t0, 0) == 0s));
}

BOOST_AUTO_TEST_CASE(a_connection_that_held_makes_the_next_delay_short_again) {
  Reconnect reconnect;
  for (int i = 0; i < 20; ++i)
    reconnect.next(t0, random_max);
  reconnect.on_online(t0);
  BOOST_TEST((reconnect.next(t0 + 61s, random_max) <= 500ms));
  for (int i = 0; i < 20; ++i)
    reconnect.next(t0, random_max);
  reconnect.on_online(t0);
  BOOST_TEST((reconnect.next(t0 + 1s, random_max) == 30s));
}

BOOST_AUTO_TEST_CASE(an_impatient_device_tries_again_within_a_second) {
  Reconnect reconnect;
  for (int i = 0; i < 20; ++i)
    reconnect.next(t0, random_max);
  reconnect.set_impatient(true);
  for (int i = 0; i < 20; ++i)
    BOOST_TEST((reconnect.next(t0, random_max) == 1s));
  BOOST_TEST((reconnect.next(t0, 0) == 0s));
  reconnect.set_impatient(false);
  BOOST_TEST((reconnect.next(t0, random_max) == 30s));
}

BOOST_AUTO_TEST_CASE(an_impatient_device_still_does_what_the_server_asked_for) {
  Reconnect reconnect;
  reconnect.set_impatient(true);
  reconnect.on_goodbye(wire::GoodbyeCode::shutting_down, 7s);
  BOOST_TEST((reconnect.next(t0, random_max) <= 8s));
  reconnect.on_goodbye(wire::GoodbyeCode::shutting_down, 7s);
  BOOST_TEST((reconnect.next(t0, 0) == 7s));
  reconnect.on_goodbye(wire::GoodbyeCode::revoked, 0s);
  BOOST_TEST((reconnect.next(t0, 0) >= 150s));
}

BOOST_AUTO_TEST_CASE(a_revoked_device_asks_again_but_slowly) {
  Reconnect reconnect;
  reconnect.on_goodbye(wire::GoodbyeCode::revoked, 0s);
  BOOST_TEST((reconnect.next(t0, 0) >= 150s));
  BOOST_TEST((reconnect.next(t0, random_max) <= 300s));
  reconnect.on_online(t0);
  BOOST_TEST((reconnect.next(t0, random_max) <= 30s));
}

BOOST_AUTO_TEST_CASE(a_refused_password_is_shown_seldom) {
  Reconnect reconnect;
  reconnect.set_impatient(true);
  reconnect.set_login_refused(true);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST((reconnect.next(t0, 0) >= 150s));
    BOOST_TEST((reconnect.next(t0, random_max) <= 300s));
  }
  reconnect.set_login_refused(false);
  BOOST_TEST((reconnect.next(t0, random_max) == 1s));
}

BOOST_AUTO_TEST_CASE(a_replaced_device_does_not_throw_the_other_out_at_once) {
  Reconnect reconnect;
  reconnect.on_online(t0);
  reconnect.on_goodbye(wire::GoodbyeCode::replaced, 0s);
  BOOST_TEST((reconnect.next(t0 + 2h, 0) >= 10s));
}

BOOST_AUTO_TEST_CASE(retry_after_is_honoured_once) {
  Reconnect reconnect;
  reconnect.on_goodbye(wire::GoodbyeCode::shutting_down, 7s);
  BOOST_TEST((reconnect.next(t0, 0) == 7s));
  BOOST_TEST((reconnect.next(t0, 0) == 0s));
}

BOOST_AUTO_TEST_CASE(a_certificate_is_renewed_at_two_thirds_of_its_life) {
  BOOST_TEST(renewal_due(1000, 1000 + 90 * 86400) == 1000 + 60 * 86400);
}
