// What an administrator sees: the real rdvctl against org.rdv.Server1 under the shipped policy.
#define BOOST_TEST_MODULE server_ctl
#include "base/session_id.hpp"
#include "component/server/ctl_harness.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace rdv;
using namespace rdv::test;
using nlohmann::json;

namespace wire = tunnel::wire;

namespace {

struct Administration {
  Ran run(const std::string& arguments) { return rdvctl(folder.path(), arguments); }
  /// Runs with --json; it must work.
  json ask(const std::string& arguments) {
    const auto ran = run("--json " + arguments);
    BOOST_TEST(ran.exit_code == 0, ran.err);
    return json::parse(ran.out);
  }
  void check_failure(const std::string& arguments, int exit_code, const std::string& err) {
    const auto ran = run(arguments);
    BOOST_TEST(ran.exit_code == exit_code);
    BOOST_TEST(ran.err == err);
    BOOST_TEST(ran.out == "");
  }

  TemporaryFolder folder;
  PolicyBus bus{folder.path()};
  BareServer server{folder.path()};
};

wire::Name name(std::string_view text) {
  return wire::Name::parse(text).value();
}

/// A session between two devices that were added.
std::string open_session(BareServer& server) {
  const auto onsite = server.bring_online("rpi1100");
  const auto master = server.bring_online("rpi2001");
  server.sink.actions.clear();
  server.sink.run(server.broker.on_message(
      master, wire::Open{.request = 1, .onsite = name("rpi1100")}, read_clocks()));
  const auto id = server.broker.sessions().front()->id;
  server.sink.run(server.broker.on_message(onsite, wire::Accept{.session = id}, read_clocks()));
  return tunnel::format_session_id(id);
}

template <class Kind>
std::size_t count(const Actions& actions) {
  std::size_t n = 0;
  for (const auto& action : actions)
    n += std::holds_alternative<Kind>(action) ? 1 : 0;
  return n;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(administration, Administration, *boost::unit_test::precondition(as_root))

BOOST_AUTO_TEST_CASE(device_add_prints_the_code_on_a_line_of_its_own) {
  const auto ran = run("device add rpi1100 --role onsite --site 'Royal Champagne, boiler room'");
  BOOST_TEST(ran.exit_code == 0);
  BOOST_TEST(ran.err == "");
  const auto line = ran.out.substr(0, ran.out.find('\n'));
  const auto code = wire::EnrolmentCode::parse(line);
  BOOST_REQUIRE(code);
  BOOST_TEST(code->server == "rdv.example.com:443");
  BOOST_TEST((ran.out.find("On rpi1100, enter: sudo tundev enroll " + line) != std::string::npos));
  BOOST_TEST((ran.out.find("works once, until 20") != std::string::npos));
  const auto device = ask("device show rpi1100");
  BOOST_TEST(device["site"] == "Royal Champagne, boiler room");
  BOOST_TEST(device["state"] == "registered");
  BOOST_TEST(device["role"] == "onsite");
  BOOST_TEST(device["system"] == "default");
}

BOOST_AUTO_TEST_CASE(a_device_is_listed_shown_with_what_it_tells_and_removed) {
  run("device add rpi2001 --role master --system acme");
  ask("device add rpi1100 --role onsite --system acme --allow 10.1.0.0/16 --allow 10.2.0.1/32");
  server.on_thread([](BareServer& s) { s.bring_online("rpi1100"); });
  const auto devices = ask("device list");
  BOOST_REQUIRE_EQUAL(devices.size(), 2U);
  const auto& onsite = devices[0];
  BOOST_TEST(onsite["name"] == "rpi1100");
  BOOST_TEST(onsite["online"] == true);
  BOOST_TEST(onsite["hostname"] == "host-of-rpi1100");
  BOOST_TEST(onsite["lan"] == "192.168.1.10/24");
  BOOST_TEST(onsite["public_address"] == "198.51.100.7");
  BOOST_TEST(onsite["allow"] == json({"10.1.0.0/16", "10.2.0.1/32"}));
  BOOST_TEST(onsite["key_sha256"].get<std::string>().size() == 64U);
  BOOST_TEST((run("device list").out.find("2 devices, 1 online\n") != std::string::npos));
  BOOST_TEST((run("device show rpi1100").out.find("hostname:") != std::string::npos));
  BOOST_TEST(run("device remove rpi1100").out == "rpi1100 is removed.\n");
  server.on_thread([](BareServer& s) { BOOST_TEST(count<CloseConnection>(s.sink.actions) == 1U); });
  BOOST_TEST(ask("device list").size() == 1U);
  BOOST_TEST(ask("device add rpi1100 --role onsite")["name"] == "rpi1100");
}

BOOST_AUTO_TEST_CASE(a_revoked_device_loses_connection_and_session_in_the_same_turn) {
  run("device add rpi1100 --role onsite");
  run("device add rpi2001 --role master");
  server.on_thread([](BareServer& s) {
    open_session(s);
    s.sink.actions.clear();
  });
  BOOST_TEST(run("device revoke rpi1100 --reason stolen").out == "rpi1100 is revoked.\n");
  server.on_thread([](BareServer& s) {
    BOOST_TEST(count<StopRelay>(s.sink.actions) == 1U);
    BOOST_TEST(count<CloseConnection>(s.sink.actions) == 1U);
    BOOST_TEST(s.broker.sessions().empty());
  });
  BOOST_TEST(ask("device show rpi1100")["revoked_reason"] == "stolen");
  check_failure("device revoke rpi1100", 1,
                "rdvctl: cannot revoke rpi1100: rpi1100 is revoked already\n");
  check_failure("device code rpi1100", 1,
                "rdvctl: cannot make a code for rpi1100: rpi1100 is revoked\n"
                "rdvctl: to use the name again: rdvctl device remove rpi1100, then add it anew\n");
}

BOOST_AUTO_TEST_CASE(sessions_are_listed_and_closed) {
  run("device add rpi1100 --role onsite");
  run("device add rpi2001 --role master");
  BOOST_TEST(run("session list").out == "no sessions\n");
  const auto id = server.on_thread([](BareServer& s) { return open_session(s); });
  const auto sessions = ask("session list");
  BOOST_REQUIRE_EQUAL(sessions.size(), 1U);
  BOOST_TEST(sessions[0]["id"] == id);
  BOOST_TEST(sessions[0]["master"] == "rpi2001");
  BOOST_TEST(sessions[0]["state"] == "granted");
  BOOST_TEST(sessions[0]["mode"] == "L3");
  BOOST_TEST(ask("device show rpi1100")["busy_with"] == "rpi2001");
  BOOST_TEST(run("session close " + id).out == "The session " + id + " is closed.\n");
  BOOST_TEST(ask("session list").empty());
  check_failure("session close " + id, 1,
                "rdvctl: cannot close the session " + id + ": there is no session " + id +
                    "; it may have ended\n");
  BOOST_TEST(run("session close xyz").exit_code == 1);
}

BOOST_AUTO_TEST_CASE(a_new_code_replaces_the_old_one) {
  const auto first = ask("device add rpi1100 --role onsite")["code"];
  const auto second = ask("device code rpi1100")["code"];
  BOOST_TEST(first != second);
}

BOOST_AUTO_TEST_CASE(a_code_is_shown_as_long_as_it_works) {
  const auto expires = ask("device add rpi1100 --role onsite")["expires"];
  BOOST_TEST(ask("device show rpi1100")["code_expires"] == expires);
  server.on_thread([](BareServer& s) { s.ahead = 24 * 3600; });
  BOOST_TEST(ask("device show rpi1100")["code_expires"] == 0);
}

BOOST_AUTO_TEST_CASE(the_status_is_shown) {
  const auto status = ask("status");
  BOOST_TEST(status["handshakes"] == 7);
  BOOST_TEST(status["listen"] == json({"[::]:443"}));
  BOOST_TEST(status["memory_kb"] > 1000);
  BOOST_TEST((run("status").out.find("listening on:      [::]:443\n") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(who_gave_an_order_is_noted) {
  run("device add rpi1100 --role onsite");
  run("device add rpi2001 --role master");
  const auto id = server.on_thread(open_session);
  server.on_thread([](BareServer& s) { s.sink.actions.clear(); });
  run("session close " + id + " --reason \"it was asked for\"");
  run("device code rpi1100");
  run("device revoke rpi1100");
  run("device remove rpi1100");
  std::vector<Event::Kind> kinds;
  server.on_thread([&](BareServer& s) {
    for (const auto& action : s.sink.actions)
      if (const auto* note = std::get_if<Note>(&action); note && !note->event.user.empty()) {
        BOOST_TEST(note->event.user == "root (uid 0)");
        kinds.push_back(note->event.kind);
      }
  });
  BOOST_TEST((kinds == std::vector{Event::Kind::close_ordered, Event::Kind::code_replaced,
                                   Event::Kind::device_revoked, Event::Kind::device_removed}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_says_why_and_what_to_do_next) {
  run("device add rpi1100 --role onsite");
  check_failure("device add rpi1100 --role onsite", 1,
                "rdvctl: cannot add rpi1100: there is a device rpi1100 already\n"
                "rdvctl: for a new enrolment code: rdvctl device code rpi1100\n");
  check_failure("device add Rpi_1 --role onsite", 1,
                "rdvctl: cannot add Rpi_1: `Rpi_1` is not a name of a device\n"
                "rdvctl: use 1 to 32 of a-z, 0-9 and `-`, without a `-` at an end\n");
  check_failure("device show nobody", 1,
                "rdvctl: cannot show nobody: there is no device nobody\n"
                "rdvctl: see which there are: rdvctl device list\n");
  check_failure("device add rpi1200 --role onsite --allow 10.1.0.0/99", 1,
                "rdvctl: cannot add rpi1200: `10.1.0.0/99` is not a network\n"
                "rdvctl: write it like 10.1.0.0/16\n");
  check_failure("device add rpi2001 --role master --allow 10.1.0.0/16", 1,
                "rdvctl: cannot add rpi2001: only an onsite opens networks\n"
                "rdvctl: drop the option allow\n");
  for (const auto* more : {"a", "b", "c", "d"})
    run(std::string{"device add --role onsite "} + more);
  BOOST_TEST((run("device add e --role onsite")
                  .err.find("5 devices are registered, which is the "
                            "limit\n") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(wrong_usage_ends_with_2) {
  for (const auto* wrong : {"", "device", "device add", "device add x", "device add x --role king",
                            "nonsense", "status --nonsense"}) {
    const auto ran = run(wrong);
    BOOST_TEST(ran.exit_code == 2, wrong);
    BOOST_TEST(ran.err.starts_with("rdvctl: wrong usage: "));
  }
  BOOST_TEST(run("--help").exit_code == 0);
  BOOST_TEST(run("--version").out == RDV_VERSION "\n");
}

BOOST_AUTO_TEST_CASE(who_is_not_in_the_group_is_told_so) {
  const auto ran = rdvctl(folder.path(), "device list", true);
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(ran.err ==
             "rdvctl: cannot list the devices: only root and the members of the group rdv-admin "
             "may administer the server\n"
             "rdvctl: use sudo, or join the group and log in anew: sudo adduser $USER rdv-admin\n");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(without_a_server_or_a_bus_rdvctl_says_what_to_start) {
  TemporaryFolder folder;
  {
    PolicyBus bus{folder.path()};
    const auto ran = rdvctl(folder.path(), "status");
    BOOST_TEST(ran.exit_code == 1);
    BOOST_TEST(ran.err ==
               "rdvctl: cannot show the status: rdv-server is not running\n"
               "rdvctl: start it: systemctl start rdv-server; its log: journalctl -u rdv-server\n");
  }
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1);
  const auto ran = rdvctl(folder.path(), "status");
  BOOST_TEST(ran.exit_code == 1);
  BOOST_TEST(ran.err.ends_with("rdvctl: start it: systemctl start dbus\n"));
}
