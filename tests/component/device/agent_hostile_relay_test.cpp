#define BOOST_TEST_MODULE agent_hostile_relay
#include "component/device/agent_end.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

using namespace agent_test;
using namespace std::chrono_literals;

/// What a relay that is against us can do to a session: each attempt is noticed, and no packet that
/// was touched, or that came behind one that was, reaches a TUN.
namespace {

using Records = std::vector<Bytes>;

constexpr std::size_t master_leg = 0;
constexpr int packets = 40;

/// Establishes a session and then lets the master send one packet per record while `meddle` is at
/// work. Record numbers count from the first packet. @return what the onsite's kernel got
std::vector<std::string> run_with(Session& session, Meddler meddle) {
  BOOST_REQUIRE(session.run_until_established());
  const auto first = session.relay.raw_records(master_leg);
  session.relay.meddle = [first, meddle = std::move(meddle)](std::size_t leg, std::size_t index,
                                                             Bytes record) -> Records {
    if (leg != master_leg) return Records{std::move(record)};
    return meddle(leg, index - first, std::move(record));
  };
  for (int i = 0; i < packets && !session.onsite.is_over(); ++i) {
    session.master.give(packet(master_address, "192.168.1.50", "packet " + std::to_string(i)));
    const auto sent = first + static_cast<std::size_t>(i) + 1;
    session.run_until(
        [&] { return session.relay.raw_records(master_leg) >= sent || session.onsite.is_over(); });
  }
  session.run_until_over();
  std::vector<std::string> received;
  for (const auto& bytes : session.onsite.received)
    received.push_back(text_of(bytes));
  return received;
}

/// Whatever came is the beginning of what was sent, in order, once, up to before record `touched`.
void check_untouched_prefix(const std::vector<std::string>& received, std::size_t touched) {
  BOOST_TEST(received.size() <= touched);
  for (std::size_t i = 0; i < received.size(); ++i)
    BOOST_TEST(received[i] == "packet " + std::to_string(i));
}

void check_integrity(const Session& session) {
  BOOST_REQUIRE(session.onsite.is_over());
  BOOST_CHECK_MESSAGE(
      session.onsite.end->code == CloseCode::integrity,
      "ended with " << to_string(session.onsite.end->code) << ": " << session.onsite.end->text);
}

/// A session whose records pass through `meddle` ends as altered, and all that came are the packets
/// before record `touched`.
void check_noticed(std::size_t touched, Meddler meddle) {
  Session session;
  check_untouched_prefix(run_with(session, std::move(meddle)), touched);
  check_integrity(session);
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_DATA_TEST_CASE(a_flipped_bit_is_noticed_wherever_it_is,
                     boost::unit_test::data::make({0U, 1U, 2U, 3U, 4U, 5U, 6U, 20U, 40U, 60U}),
                     at) {
  constexpr std::size_t touched = 5;
  Session session;
  const auto received =
      run_with(session, [&](std::size_t, std::size_t index, Bytes record) -> Records {
        if (index == touched) record[std::min<std::size_t>(at, record.size() - 1)] ^= std::byte{1};
        return Records{std::move(record)};
      });
  check_untouched_prefix(received, touched);
  BOOST_REQUIRE(session.onsite.is_over());
  // A length that grew makes the onsite wait for bytes that never come before the others fill the
  // gap, or the end.
  BOOST_CHECK(session.onsite.end->code == CloseCode::integrity ||
              session.onsite.end->code == CloseCode::network ||
              session.onsite.end->code == CloseCode::peer_lost);
  if (at != 3 && at != 4) check_integrity(session);
}

BOOST_AUTO_TEST_CASE(every_bit_of_a_record_counts) {
  // One session per bit would take long; the tag and the body of one record each, in turn.
  for (const std::size_t from_end : {1U, 8U, 16U, 17U, 30U})
    check_noticed(3, [&](std::size_t, std::size_t index, Bytes record) -> Records {
      if (index == 3) record[record.size() - from_end] ^= std::byte{0x80};
      return Records{std::move(record)};
    });
}

BOOST_AUTO_TEST_CASE(a_replayed_record_is_noticed) {
  // the first copy is what was sent
  check_noticed(5, [](std::size_t, std::size_t index, Bytes record) -> Records {
    if (index == 4) return Records{record, record};
    return Records{std::move(record)};
  });
}

BOOST_AUTO_TEST_CASE(an_old_record_sent_again_later_is_noticed) {
  Bytes old;
  check_noticed(10, [&](std::size_t, std::size_t index, Bytes record) -> Records {
    if (index == 1) old = record;
    if (index == 9) return Records{record, old};
    return Records{std::move(record)};
  });
}

BOOST_AUTO_TEST_CASE(a_dropped_record_is_noticed_with_the_next) {
  check_noticed(4, [](std::size_t, std::size_t index, Bytes record) -> Records {
    if (index == 4) return Records{};
    return Records{std::move(record)};
  });
}

BOOST_AUTO_TEST_CASE(reordered_records_are_noticed) {
  Bytes held;
  check_noticed(4, [&](std::size_t, std::size_t index, Bytes record) -> Records {
    if (index == 4) {
      held = std::move(record);
      return Records{};
    }
    if (index == 5) return Records{std::move(record), held};
    return Records{std::move(record)};
  });
}

BOOST_AUTO_TEST_CASE(a_record_of_the_other_direction_is_noticed) {
  Session session;
  BOOST_REQUIRE(session.run_until_established());
  Bytes from_onsite;
  session.relay.meddle = [&](std::size_t leg, std::size_t, Bytes record) -> Records {
    if (leg == 1) from_onsite = record;
    if (leg == master_leg && !from_onsite.empty()) return Records{from_onsite};
    return Records{std::move(record)};
  };
  session.onsite.give(packet("192.168.1.50", master_address, "down"));
  BOOST_REQUIRE(session.run_until([&] { return !session.master.received.empty(); }));
  session.master.give(packet(master_address, "192.168.1.50", "up"));
  BOOST_REQUIRE(session.run_until_over());
  BOOST_TEST(session.onsite.received.empty());
  check_integrity(session);
}

BOOST_AUTO_TEST_CASE(made_up_records_are_noticed) {
  check_noticed(2, [](std::size_t, std::size_t index, Bytes record) -> Records {
    if (index != 2) return Records{std::move(record)};
    Bytes forged(record.size(), std::byte{0x5a});
    std::copy_n(record.begin(), 5, forged.begin());
    return Records{forged};
  });
}

BOOST_AUTO_TEST_CASE(a_plain_text_alert_or_handshake_is_noticed) {
  for (const unsigned char type : {20, 21, 22, 24}) {
    Session session;
    const auto received =
        run_with(session, [&](std::size_t, std::size_t index, Bytes record) -> Records {
          if (index != 2) return Records{std::move(record)};
          const std::array<unsigned char, 7> alert{type, 3, 3, 0,
                                                   2,    1, 0};  // close_notify, unprotected
          const auto bytes = std::as_bytes(std::span{alert});
          return Records{Bytes{bytes.begin(), bytes.end()}};
        });
    check_untouched_prefix(received, 2);
    BOOST_REQUIRE(session.onsite.is_over());
    BOOST_CHECK(session.onsite.end->code != CloseCode::operator_);
  }
}

BOOST_AUTO_TEST_CASE(a_cut_tail_is_broken_and_never_closed) {
  Session session;
  const auto received =
      run_with(session, [&](std::size_t, std::size_t index, Bytes record) -> Records {
        if (index < 5) return Records{std::move(record)};
        session.relay.break_leg(1);
        return Records{};
      });
  check_untouched_prefix(received, 5);
  BOOST_CHECK(session.onsite.end->code == CloseCode::network);
}

BOOST_AUTO_TEST_CASE(an_altered_handshake_never_becomes_a_session) {
  for (const std::size_t leg : {0U, 1U}) {
    for (const std::size_t at : {5U, 12U, 40U, 90U, 150U, 400U}) {
      Session session;
      session.relay.meddle_handshake = [&](std::size_t from, std::size_t index, Bytes& payload) {
        if (from == leg && index == 0) payload[std::min(at, payload.size() - 1)] ^= std::byte{4};
      };
      session.master.give(packet(master_address, "192.168.1.50", "never"));
      session.run_until([&] { return session.master.is_over() || session.onsite.is_over(); });
      BOOST_TEST((session.master.is_over() || session.onsite.is_over()),
                 "leg " << leg << " at " << at);
      BOOST_TEST(!session.master.established);
      BOOST_TEST(session.onsite.received.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(anything_of_the_outer_tls_behind_switch_ends_the_session) {
  Session session;
  session.relay.speaks_behind_switch = true;
  session.master.give(packet(master_address, "192.168.1.50", "never"));
  session.run_until([&] { return session.master.is_over() && session.onsite.is_over(); });
  BOOST_TEST(!session.master.established);
  BOOST_TEST(session.onsite.received.empty());
}

namespace {

/// Two sessions of two masters through one relay; legs 0 to 3 are master A, onsite A, master B,
/// onsite B.
struct TwoSessions {
  explicit TwoSessions(std::function<std::size_t(std::size_t)> handshake,
                       std::function<std::size_t(std::size_t)> raw)
      : other_master{a.world.device("master", "bert", tunnel::unix_now(), 90 * tunnel::test::day)},
        other_onsite{
            a.world.device("onsite", "rpi1200", tunnel::unix_now(), 90 * tunnel::test::day)},
        master_b{a.io, a.world, other_master, plan_for(other_onsite)},
        onsite_b{a.io, a.world, other_onsite, plan_for(other_master)} {
    a.relay.handshake_goes_to = std::move(handshake);
    a.relay.raw_goes_to = std::move(raw);
    a.started = true;
    for (auto* end : {&a.master, &a.onsite, &master_b, &onsite_b}) {
      bool accepted = false;
      asio::co_spawn(a.io, a.relay.accept_leg(), [&](std::exception_ptr) { accepted = true; });
      asio::co_spawn(a.io, end->run(a.relay.endpoint()), asio::detached);
      asio::co_spawn(a.io, end->run_kernel(), asio::detached);
      a.run_until([&] { return accepted; });
    }
  }

  End::Setup plan_for(const tunnel::test::World::Device& peer) const {
    auto grant = grant_for(a.world, other_master, other_onsite, 78);
    auto bytes = wire::encode_grant(grant);
    return {.grant = std::move(grant), .grant_bytes = std::move(bytes), .peer = &peer};
  }

  Session a;
  tunnel::test::World::Device other_master, other_onsite;
  End master_b, onsite_b;
};

}  // namespace

BOOST_AUTO_TEST_CASE(legs_crossed_before_the_handshake_never_become_a_session) {
  const auto crossed = [](std::size_t leg) { return 3 - leg; };  // 0 with 3, 1 with 2
  TwoSessions two{crossed, crossed};
  two.a.master.give(packet(master_address, "192.168.1.50", "never"));
  two.a.run_until([&] {
    return (two.a.master.is_over() || two.onsite_b.is_over()) &&
           (two.a.onsite.is_over() || two.master_b.is_over());
  });
  for (const auto* end : {&two.a.master, &two.a.onsite, &two.master_b, &two.onsite_b}) {
    BOOST_TEST(!end->established);
    BOOST_TEST(end->received.empty());
  }
}

BOOST_AUTO_TEST_CASE(legs_crossed_at_the_switch_are_noticed_before_any_packet) {
  const auto straight = [](std::size_t leg) { return leg ^ 1U; };
  const auto crossed = [](std::size_t leg) { return 3 - leg; };
  TwoSessions two{straight, crossed};
  two.a.master.give(packet(master_address, "192.168.1.50", "never"));
  two.master_b.give(packet(master_address, "192.168.1.50", "never"));
  BOOST_REQUIRE(two.a.run_until([&] { return two.a.onsite.is_over() && two.onsite_b.is_over(); }));
  for (const auto* end : {&two.a.onsite, &two.onsite_b}) {
    BOOST_TEST(end->received.empty());
    BOOST_CHECK(end->end->code == CloseCode::integrity || end->end->code == CloseCode::network);
  }
  BOOST_TEST(!two.a.master.established);
  BOOST_TEST(!two.master_b.established);
}

BOOST_AUTO_TEST_CASE(legs_crossed_in_the_middle_of_a_session_are_noticed) {
  const auto straight = [](std::size_t leg) { return leg ^ 1U; };
  TwoSessions two{straight, straight};
  BOOST_REQUIRE(
      two.a.run_until([&] { return two.a.master.established && two.master_b.established; }));
  two.a.relay.raw_goes_to = [](std::size_t leg) { return 3 - leg; };
  two.a.master.give(packet(master_address, "192.168.1.50", "to the wrong customer"));
  two.master_b.give(packet(master_address, "192.168.1.50", "to the wrong customer"));
  BOOST_REQUIRE(two.a.run_until([&] { return two.a.onsite.is_over() && two.onsite_b.is_over(); }));
  BOOST_TEST(two.a.onsite.received.empty());
  BOOST_TEST(two.onsite_b.received.empty());
}

BOOST_AUTO_TEST_CASE(two_devices_with_different_grants_never_become_a_session) {
  Session session;
  auto plan = session.plan;
  plan.grant.seconds += 1;  // the server told each of them something else
  plan.grant_bytes = wire::encode_grant(plan.grant);
  End liar{session.io, session.world, session.world.master, plan};
  session.started = true;
  asio::co_spawn(session.io, session.relay.accept_leg(), asio::detached);
  asio::co_spawn(session.io, liar.run(session.relay.endpoint()), asio::detached);
  session.io.run_one_for(1s);
  asio::co_spawn(session.io, session.relay.accept_leg(), asio::detached);
  asio::co_spawn(session.io, session.onsite.run(session.relay.endpoint()), asio::detached);
  BOOST_REQUIRE(session.run_until([&] { return session.onsite.is_over() && liar.is_over(); }));
  check_integrity(session);
  BOOST_TEST(!liar.established);
}
