#define BOOST_TEST_MODULE device_control
#include "device_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace tunnel;
using namespace tunnel::core;
using namespace tunnel::core::test;

namespace {

/// One of every message there is, in a state where its fields fit.
std::vector<wire::ControlMessage> every_message(const Device& device) {
  return {wire::Hello{},
          device.welcome(),
          wire::Ping{.token = 5},
          wire::Pong{},
          wire::InfoUpdate{},
          wire::List{.request = 1},
          wire::Listing{.request = 1},
          wire::Open{.request = 1, .onsite = name("rpi1100")},
          wire::Waiting{.request = 1},
          wire::Refused{.request = 1, .text = "no"},
          device.offer(),
          wire::Accept{.session = 77},
          wire::Decline{.session = 77},
          device.granted(device.grant(), 1),
          wire::Close{.session = 77},
          wire::Goodbye{},
          wire::Renew{},
          wire::Renewed{},
          wire::Cancel{.request = 1},
          wire::Interrupted{.session = 77, .epoch = 2},
          wire::Resume{.session = 77, .epoch = 2}};
}

bool comes_from_devices_only(const wire::ControlMessage& message) {
  return std::visit(
      [](const auto& m) {
        using M = std::decay_t<decltype(m)>;
        return std::is_same_v<M, wire::Hello> || std::is_same_v<M, wire::InfoUpdate> ||
               std::is_same_v<M, wire::List> || std::is_same_v<M, wire::Open> ||
               std::is_same_v<M, wire::Accept> || std::is_same_v<M, wire::Decline> ||
               std::is_same_v<M, wire::Renew> || std::is_same_v<M, wire::Cancel> ||
               std::is_same_v<M, wire::Resume>;
      },
      message);
}

/// One thing that may happen to a device at any time.
ControlActions happen(Device& device, std::mt19937& random, std::uint64_t& last_id,
                      Clock::time_point now) {
  auto& control = device.control;
  const bool online = control.state() == DeviceControl::State::online;
  switch (random() % 13) {
    case 0:
      if (control.state() == DeviceControl::State::offline) return control.on_connected({});
      break;
    case 1:
      if (random() % 8 == 0 && control.state() != DeviceControl::State::offline)
        return control.on_disconnected(now);
      break;
    case 2:
      if (device.role == Role::master && !control.session())
        return control.open(++last_id, {.onsite = name("rpi1100")}, now);
      break;
    case 3:
      if (control.session()) return control.end(control.session()->id(), CloseCode::operator_, "");
      break;
    case 4:
      if (control.session()) control.on_established(control.session()->id(), now);
      break;
    case 5: return control.on_deadline(now);
    case 6: device.grants_are_signed = random() % 4 != 0; break;
    case 7:
      if (control.session() && online) {
        auto grant = device.grant();
        grant.epoch = control.session()->epoch() + 1;
        return control.on_message(device.granted(grant, control.session()->request_number()), now);
      }
      break;
    case 8:
      if (control.session())
        return control.on_leg_lost(control.session()->id(), control.session()->epoch(),
                                   CloseCode::network, "", now);
      break;
    default: {
      const auto messages = every_message(device);
      return control.on_message(messages[random() % messages.size()], now);
    }
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_device_greets_first_and_is_online_when_welcomed) {
  Device device{Role::onsite};
  wire::Info info;
  info.hostname = "boiler";
  const auto hello = device.control.on_connected(info);
  BOOST_REQUIRE(sent<wire::Hello>(hello));
  BOOST_TEST(sent<wire::Hello>(hello)->info.hostname == "boiler");
  BOOST_TEST(find<Online>(device.control.on_message(device.welcome(), t0)));
  BOOST_CHECK(device.control.state() == DeviceControl::State::online);
}

BOOST_AUTO_TEST_CASE(a_welcome_for_somebody_else_drops_the_connection) {
  Device device{Role::onsite};
  device.control.on_connected({});
  auto welcome = device.welcome();
  welcome.name = name("rpi1101");
  const auto actions = device.control.on_message(welcome, t0);
  BOOST_REQUIRE(find<DropConnection>(actions));
  BOOST_CHECK(find<DropConnection>(actions)->why == wire::Errc::wrong_party);
}

BOOST_AUTO_TEST_CASE(a_welcome_of_an_unknown_version_drops_the_connection) {
  Device device{Role::onsite};
  device.control.on_connected({});
  auto welcome = device.welcome();
  welcome.version = wire::version_max + 1;
  BOOST_TEST(find<DropConnection>(device.control.on_message(welcome, t0)));
}

BOOST_AUTO_TEST_CASE(before_welcome_only_welcome_and_goodbye_are_taken) {
  for (const auto role : {Role::master, Role::onsite}) {
    const auto messages = every_message(Device{role});
    for (const auto& message : messages) {
      Device device{role};
      device.control.on_connected({});
      const auto actions = device.control.on_message(message, t0);
      const bool taken = std::holds_alternative<wire::Welcome>(message) ||
                         std::holds_alternative<wire::Goodbye>(message);
      BOOST_TEST((find<DropConnection>(actions) == nullptr) == taken,
                 "message " << message.index());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_only_devices_send_drops_the_connection) {
  for (const auto role : {Role::master, Role::onsite}) {
    const auto messages = every_message(Device{role});
    for (const auto& message : messages) {
      if (!comes_from_devices_only(message)) continue;
      Device device{role};
      device.go_online();
      BOOST_TEST(find<DropConnection>(device.control.on_message(message, t0)),
                 "message " << message.index());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_ping_is_answered_with_its_token) {
  Device device{Role::onsite};
  device.go_online();
  const auto actions = device.control.on_message(wire::Ping{.token = 42}, t0);
  BOOST_REQUIRE(sent<wire::Pong>(actions));
  BOOST_TEST(sent<wire::Pong>(actions)->token == 42u);
}

BOOST_AUTO_TEST_CASE(a_list_comes_whole_from_its_parts) {
  Device device{Role::master};
  device.go_online();
  std::uint32_t request = 0;
  BOOST_TEST(sent<wire::List>(device.control.list(request)));
  wire::Listing part{.request = request, .devices = {{.name = name("rpi1100")}}, .last = false};
  BOOST_TEST(device.control.on_message(part, t0).empty());
  part.last = true;
  const auto actions = device.control.on_message(part, t0);
  BOOST_REQUIRE(find<Listed>(actions));
  BOOST_TEST(find<Listed>(actions)->devices.size() == 2u);
  BOOST_TEST(device.control.on_message(part, t0).empty());  // nobody waits any more
}

BOOST_AUTO_TEST_CASE(an_endless_list_drops_the_connection) {
  Device device{Role::master};
  device.go_online();
  std::uint32_t request = 0;
  device.control.list(request);
  wire::Listing part{.request = request, .last = false};
  part.devices.assign(1000, {.name = name("rpi1100")});
  std::size_t parts = 0;
  while (find<DropConnection>(device.control.on_message(part, t0)) == nullptr && parts < 1000)
    ++parts;
  BOOST_TEST(parts == DeviceControl::listed_devices_max / 1000);
}

BOOST_AUTO_TEST_CASE(a_change_of_facts_is_told_once) {
  Device device{Role::onsite};
  device.go_online();
  wire::Info info;
  info.hostname = "boiler";
  BOOST_TEST(sent<wire::InfoUpdate>(device.control.on_info(info)));
  BOOST_TEST(device.control.on_info(info).empty());
}

BOOST_AUTO_TEST_CASE(a_change_of_facts_between_hello_and_welcome_is_told_behind_the_welcome) {
  Device device{Role::onsite};
  device.control.on_connected({});
  wire::Info info;
  info.hostname = "boiler";
  BOOST_TEST(device.control.on_info(info).empty());
  const auto actions = device.control.on_message(device.welcome(), t0);
  BOOST_REQUIRE(sent<wire::InfoUpdate>(actions));
  BOOST_TEST(sent<wire::InfoUpdate>(actions)->info.hostname == "boiler");
}

BOOST_AUTO_TEST_CASE(a_renewed_certificate_is_taken_only_when_asked_for) {
  Device device{Role::onsite};
  device.go_online();
  BOOST_TEST(device.control.on_message(wire::Renewed{}, t0).empty());
  BOOST_TEST(sent<wire::Renew>(device.control.renew(to_bytes("csr"))));
  BOOST_TEST(find<CertificateRenewed>(device.control.on_message(wire::Renewed{}, t0)));
  BOOST_TEST(device.control.on_message(wire::Renewed{}, t0).empty());
}

BOOST_AUTO_TEST_CASE(a_second_offer_is_declined_as_busy_with_the_masters_name) {
  Device device{Role::onsite};
  device.go_online();
  BOOST_TEST(sent<wire::Accept>(device.control.on_message(device.offer(77), t0)));
  const auto actions = device.control.on_message(device.offer(78), t0);
  BOOST_REQUIRE(sent<wire::Decline>(actions));
  BOOST_CHECK(sent<wire::Decline>(actions)->code == wire::RefusalCode::busy);
  BOOST_TEST(sent<wire::Decline>(actions)->text.find("master1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_onsite_that_is_not_ready_declines_and_says_why) {
  Device device{Role::onsite};
  device.go_online();
  device.control.set_unready("no kernel");
  const auto actions = device.control.on_message(device.offer(), t0);
  BOOST_REQUIRE(sent<wire::Decline>(actions));
  BOOST_TEST(sent<wire::Decline>(actions)->text == "no kernel");
  BOOST_TEST(!device.control.session());
}

BOOST_AUTO_TEST_CASE(a_customer_may_forbid_mode_l2_and_no_other) {
  Device onsite{Role::onsite};
  onsite.go_online();
  onsite.control.set_allows_l2(false);
  auto offer = onsite.offer(77);
  offer.mode = wire::Mode::l2;
  const auto actions = onsite.control.on_message(offer, t0);
  BOOST_REQUIRE(sent<wire::Decline>(actions));
  BOOST_CHECK(sent<wire::Decline>(actions)->code == wire::RefusalCode::mode_unsupported);
  BOOST_TEST(!onsite.control.session());
  onsite.control.set_allows_l2(true);
  BOOST_TEST(!sent<wire::Decline>(onsite.control.on_message(offer, t0)));
  BOOST_TEST(onsite.control.session().has_value());
}

BOOST_AUTO_TEST_CASE(a_grant_that_crossed_our_cancel_is_closed) {
  Device device{Role::master};
  device.go_online();
  const auto request = device.open();
  const auto over = device.control.end(1, CloseCode::operator_, "");
  BOOST_TEST(sent<wire::Cancel>(over));
  const auto actions = device.control.on_message(device.granted(device.grant(), request), t0);
  BOOST_REQUIRE(sent<wire::Close>(actions));
  BOOST_TEST(sent<wire::Close>(actions)->session == 77u);
  BOOST_TEST(!find<StartSession>(actions));
}

BOOST_AUTO_TEST_CASE(a_master_that_waits_asks_again_after_the_connection_broke) {
  Device device{Role::master};
  device.go_online();
  const auto request = device.open();
  device.control.on_message(wire::Waiting{.request = request}, t0);
  BOOST_TEST(device.control.on_disconnected(t0).empty());
  device.control.on_connected({});
  const auto actions = device.control.on_message(device.welcome(), t0 + 1h);
  BOOST_REQUIRE(sent<wire::Open>(actions));
  BOOST_TEST(sent<wire::Open>(actions)->request != request);
  BOOST_TEST(find<Online>(actions));
}

BOOST_AUTO_TEST_CASE(an_accepted_offer_ends_with_the_connection) {
  Device device{Role::onsite};
  device.go_online();
  device.control.on_message(device.offer(), t0);
  BOOST_TEST(find<SessionOver>(device.control.on_disconnected(t0)));
  BOOST_TEST(!device.control.session());
}

BOOST_AUTO_TEST_CASE(a_running_session_outlives_its_control_connection) {
  Device device{Role::onsite};
  device.go_online();
  device.control.on_message(device.offer(), t0);
  const auto actions = device.control.on_message(device.granted(device.grant()), t0);
  BOOST_REQUIRE(find<StartSession>(actions));
  device.control.on_established(find<StartSession>(actions)->id, t0);
  BOOST_TEST(device.control.on_disconnected(t0).empty());
  BOOST_CHECK(device.control.session()->state() == State::established);
}

BOOST_AUTO_TEST_CASE(any_sequence_of_events_keeps_the_promises) {
  std::mt19937 random{20260114};
  for (int round = 0; round < 400; ++round) {
    const auto role = round % 2 == 0 ? Role::master : Role::onsite;
    Device device{role};
    auto now = t0;
    std::uint64_t id = 0;
    std::size_t starts = 0;
    std::size_t overs = 0;
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::milliseconds{random() % 3000};
      auto& control = device.control;
      const auto actions = happen(device, random, id, now);
      const auto* start = find<StartSession>(actions);
      if (start != nullptr) {
        BOOST_TEST(device.grants_are_signed);
        BOOST_REQUIRE(control.session());
        const bool resumed = start->grant.epoch > 1;
        BOOST_CHECK(control.session()->state() == (resumed ? State::regranted : State::granted));
        starts += resumed ? 0 : 1;
      }
      overs += find<SessionOver>(actions) != nullptr ? 1 : 0;
      BOOST_REQUIRE(!control.session() || control.session()->state() != State::closed);
      if (find<DropConnection>(actions) != nullptr || find<ServerSaidGoodbye>(actions) != nullptr)
        control.on_disconnected(now);
    }
    BOOST_TEST(starts <= overs + 1);  // a session that began ends before another begins
  }
}
