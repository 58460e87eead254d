#define BOOST_TEST_MODULE endpoint_handoff
#include "core/endpoint_handoff.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace tunnel;
using namespace tunnel::core;
using wire::Errc;
using wire::FrameType;
using Outer = EndpointHandoff::OuterAction;
using Rx = EndpointHandoff::Rx;

namespace {

EndpointHandoff::Expected expected() {
  EndpointHandoff::Expected e{.peer_role = wire::Role::onsite};
  e.grant_hash.fill(std::byte{7});
  return e;
}

wire::Confirm good_confirm() {
  wire::Confirm confirm;
  confirm.grant_hash.fill(std::byte{7});
  confirm.role = wire::Role::onsite;
  return confirm;
}

/// Past the inner handshake and the other end's Confirm.
EndpointHandoff confirmed() {
  EndpointHandoff handoff{expected()};
  BOOST_REQUIRE(handoff.on_outer_frame(FrameType::inner, 100, 0).has_value());
  BOOST_REQUIRE(!handoff.on_inner_handshake_done());
  BOOST_REQUIRE(!handoff.on_confirm(good_confirm(), true));
  return handoff;
}

}  // namespace

BOOST_AUTO_TEST_CASE(both_directions_switch_after_a_confirm_that_fits) {
  auto handoff = confirmed();
  BOOST_TEST(!handoff.is_done());
  const auto action = handoff.on_outer_frame(FrameType::switch_, 0, 0);
  BOOST_REQUIRE(action.has_value());
  BOOST_CHECK(*action == Outer::switched);
  BOOST_TEST(!handoff.is_done());
  BOOST_TEST(!handoff.on_seam(0));
  BOOST_TEST(handoff.is_done());
  BOOST_REQUIRE(handoff.peer());
}

BOOST_AUTO_TEST_CASE(our_direction_may_switch_long_before_the_other) {
  EndpointHandoff handoff{expected()};
  BOOST_TEST(!handoff.on_inner_handshake_done());
  BOOST_TEST(handoff.tx_switched());
  BOOST_CHECK(handoff.rx() == Rx::confirming);
  BOOST_TEST(!handoff.is_done());
}

BOOST_AUTO_TEST_CASE(a_switch_with_anything_behind_it_is_refused) {
  auto handoff = confirmed();
  const auto action = handoff.on_outer_frame(FrameType::switch_, 0, 1);
  BOOST_CHECK(action.error() == Errc::behind_switch);
  BOOST_CHECK(handoff.on_seam(0) == Errc::behind_switch);  // it stays in error
  BOOST_TEST(!handoff.is_done());
}

BOOST_AUTO_TEST_CASE(a_frame_behind_switch_is_refused) {
  for (const auto type : {FrameType::inner, FrameType::switch_, FrameType::detach}) {
    auto handoff = confirmed();
    BOOST_REQUIRE(handoff.on_outer_frame(FrameType::switch_, 0, 0).has_value());
    BOOST_CHECK(handoff.on_outer_frame(type, 0, 0).error() == Errc::behind_switch);
  }
}

BOOST_AUTO_TEST_CASE(a_switch_without_confirm_is_refused) {
  EndpointHandoff handoff{expected()};
  BOOST_REQUIRE(!handoff.on_inner_handshake_done());
  BOOST_REQUIRE(handoff.on_outer_frame(FrameType::switch_, 0, 0).has_value());
  BOOST_CHECK(handoff.on_seam(0) == Errc::unexpected);
  BOOST_TEST(!handoff.is_done());
}

BOOST_AUTO_TEST_CASE(a_switch_inside_an_inner_record_is_refused) {
  auto handoff = confirmed();
  BOOST_REQUIRE(handoff.on_outer_frame(FrameType::switch_, 0, 0).has_value());
  BOOST_CHECK(handoff.on_seam(3) == Errc::truncated);
}

BOOST_AUTO_TEST_CASE(a_confirm_of_another_session_is_somebody_elses) {
  const auto refused = [](auto change, bool mac_fits) {
    EndpointHandoff handoff{expected()};
    BOOST_REQUIRE(!handoff.on_inner_handshake_done());
    auto confirm = good_confirm();
    change(confirm);
    BOOST_CHECK(handoff.on_confirm(confirm, mac_fits) == Errc::wrong_party);
    BOOST_TEST(!handoff.peer());
  };
  refused([](wire::Confirm& c) { c.grant_hash[31] = std::byte{8}; }, true);
  refused([](wire::Confirm& c) { c.role = wire::Role::master; }, true);  // our own, reflected
  refused([](wire::Confirm&) {}, false);
}

BOOST_AUTO_TEST_CASE(confirm_comes_once_and_in_its_time) {
  EndpointHandoff early{expected()};
  BOOST_CHECK(early.on_confirm(good_confirm(), true) == Errc::unexpected);
  auto twice = confirmed();
  BOOST_CHECK(twice.on_confirm(good_confirm(), true) == Errc::unexpected);
}

BOOST_AUTO_TEST_CASE(no_packet_is_taken_before_the_switch) {
  for (const auto type :
       {FrameType::packet, FrameType::alive, FrameType::alive_answer, FrameType::confirm}) {
    EndpointHandoff handoff{expected()};
    BOOST_REQUIRE(!handoff.on_inner_handshake_done());
    BOOST_CHECK(handoff.on_inner_frame(type).error() == Errc::unexpected);
    auto later = confirmed();
    BOOST_CHECK(later.on_inner_frame(type).error() == Errc::unexpected);
  }
}

BOOST_AUTO_TEST_CASE(the_other_end_may_refuse_with_bye) {
  EndpointHandoff handoff{expected()};
  BOOST_REQUIRE(!handoff.on_inner_handshake_done());
  BOOST_TEST(handoff.on_inner_frame(FrameType::bye).has_value());
}

BOOST_AUTO_TEST_CASE(the_server_may_end_the_leg_until_switch) {
  EndpointHandoff handoff{expected()};
  const auto action = handoff.on_outer_frame(FrameType::detach, 10, 0);
  BOOST_REQUIRE(action.has_value());
  BOOST_CHECK(*action == Outer::detached);
}

BOOST_AUTO_TEST_CASE(an_endless_handshake_is_refused) {
  EndpointHandoff handoff{expected()};
  for (std::size_t sent = 0; sent < wire::inner_handshake_bytes_max; sent += 16384)
    BOOST_TEST(handoff.on_outer_frame(FrameType::inner, 16384, 0).has_value());
  BOOST_CHECK(handoff.on_outer_frame(FrameType::inner, 1, 0).error() == Errc::too_long);
}

BOOST_AUTO_TEST_CASE(what_belongs_elsewhere_is_refused_on_the_outer_tls) {
  for (const auto type :
       {FrameType::attach, FrameType::hello, FrameType::packet, FrameType::confirm}) {
    EndpointHandoff handoff{expected()};
    BOOST_CHECK(handoff.on_outer_frame(type, 0, 0).error() == Errc::unexpected);
  }
}

BOOST_AUTO_TEST_CASE(any_sequence_of_events_is_done_only_after_a_confirm_that_fits) {
  std::mt19937 random{7};
  for (int round = 0; round < 20'000; ++round) {
    EndpointHandoff handoff{expected()};
    bool fitting_confirm = false;
    bool handshake = false;
    for (int step = 0; step < 12; ++step) {
      switch (random() % 6) {
        case 0:
          (void)handoff.on_outer_frame(static_cast<FrameType>(0x30 + random() % 4), random() % 99,
                                       random() % 4 == 0 ? 1 : 0);
          break;
        case 1: handshake |= !handoff.on_inner_handshake_done(); break;
        case 2: {
          const bool fits = random() % 2 == 0;
          if (!handoff.on_confirm(good_confirm(), fits)) fitting_confirm = fits && handshake;
          break;
        }
        case 3: (void)handoff.on_inner_frame(static_cast<FrameType>(0x40 + random() % 5)); break;
        case 4: (void)handoff.on_seam(random() % 3 == 0 ? 1 : 0); break;
        default: (void)handoff.on_outer_frame(FrameType::switch_, 0, 0);
      }
      BOOST_REQUIRE(!handoff.is_done() || (fitting_confirm && handshake));
    }
  }
}
