#define BOOST_TEST_MODULE cli_text
#include "cli/complaint.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace device::cli;

BOOST_AUTO_TEST_CASE(bytes_have_a_unit_and_one_decimal_and_never_show_1000) {
  BOOST_TEST(format_bytes(0) == "0 B");
  BOOST_TEST(format_bytes(999) == "999 B");
  BOOST_TEST(format_bytes(1000) == "1.0 kB");
  BOOST_TEST(format_bytes(12'345'678) == "12.3 MB");
  BOOST_TEST(format_bytes(999'949) == "999.9 kB");
  BOOST_TEST(format_bytes(999'950) == "1.0 MB");
  BOOST_TEST(format_bytes(UINT64_MAX) == "18.4 EB");
}

BOOST_AUTO_TEST_CASE(durations_show_their_two_largest_units) {
  BOOST_TEST(format_duration(0) == "0 s");
  BOOST_TEST(format_duration(59) == "59 s");
  BOOST_TEST(format_duration(250) == "4 min 10 s");
  BOOST_TEST(format_duration(3599) == "59 min 59 s");
  BOOST_TEST(format_duration(7500) == "2 h 05 min");
  BOOST_TEST(format_duration(86400 * 3 + 4 * 3600) == "3 d 4 h");
}

BOOST_AUTO_TEST_CASE(times_are_utc_and_zero_is_never) {
  BOOST_TEST(format_time(0) == "never");
  BOOST_TEST(format_time(1768381920) == "2026-01-14 09:12 UTC");
  BOOST_TEST(format_time(INT64_MAX) == "at an impossible time");
}

BOOST_AUTO_TEST_CASE(accents_and_wide_characters_count_as_the_columns_they_take) {
  BOOST_TEST(display_columns("chaudiere") == 9U);
  BOOST_TEST(display_columns("chaudi\u00e8re") == 9U);
  BOOST_TEST(display_columns("chaudie\u0300re") == 9U);
  BOOST_TEST(display_columns("\u6771\u4eac") == 4U);
  BOOST_TEST(display_columns("\xff\xc3") == 2U);  // not UTF-8
  BOOST_TEST(display_columns("") == 0U);
}

BOOST_AUTO_TEST_CASE(a_table_fits_its_content_and_cuts_nothing) {
  Table table{{"NAME", "SITE"}};
  table.add({"rpi1100", "Caf\u00e9, boiler room of the third basement on the left"});
  table.add({"a"});
  BOOST_TEST(table.str() ==
             "NAME     SITE\n"
             "rpi1100  Caf\u00e9, boiler room of the third basement on the left\n"
             "a        -\n");
}

namespace {
ListedOnsite royal() {
  return {.name = "rpi1100",
          .site = "Royal Champagne, boiler room",
          .hostname = "boiler",
          .lan = "192.168.1.10/24",
          .dns = {"192.168.1.1"},
          .uplink = "lan",
          .public_address = "198.51.100.7",
          .online = true,
          .since = 1768381920,
          .busy_with = "rpi2000",
          .busy_since = 1768382400};
}
}  // namespace

BOOST_AUTO_TEST_CASE(the_list_shows_every_fact_and_the_total) {
  ListedOnsite away{.name = "rpi1101", .since = 1768381920};
  ListedOnsite fresh{.name = "rpi1102"};
  BOOST_TEST(
      format_onsites({royal(), away, fresh}) ==
      "NAME     SITE                          HOSTNAME  LAN              UPLINK  PUBLIC ADDRESS  "
      "STATE                               IN USE BY\n"
      "rpi1100  Royal Champagne, boiler room  boiler    192.168.1.10/24  lan     198.51.100.7    "
      "online since 2026-01-14 09:12 UTC   rpi2000 since 2026-01-14 09:20 UTC\n"
      "rpi1101  -                             -         -                -       -               "
      "offline since 2026-01-14 09:12 UTC  -\n"
      "rpi1102  -                             -         -                -       -               "
      "never seen                          -\n"
      "3 onsites, 1 online\n");
  BOOST_TEST(format_onsites({}) == "0 onsites, 0 online\n");
  BOOST_TEST(format_onsites({fresh}).ends_with("1 onsite, 0 online\n"));
}

BOOST_AUTO_TEST_CASE(the_list_for_programs_holds_the_same_facts) {
  const auto json = nlohmann::json::parse(json_onsites({royal()}));
  BOOST_TEST(json["total"] == 1);
  BOOST_TEST(json["online"] == 1);
  const auto& device = json["devices"][0];
  BOOST_TEST(device["site"] == "Royal Champagne, boiler room");
  BOOST_TEST(device["dns"][0] == "192.168.1.1");
  BOOST_TEST(device["busy_since"] == 1768382400);
}

BOOST_AUTO_TEST_CASE(json_is_valid_whatever_the_bytes) {
  auto onsite = royal();
  onsite.site = "a\"b\n\xff";
  const auto line = json_onsites({onsite});
  BOOST_TEST((line.find('\n') == std::string::npos));
  BOOST_TEST(nlohmann::json::accept(line));
}

BOOST_AUTO_TEST_CASE(the_customer_sees_who_is_connected_since_when_and_how_much) {
  const AgentStatus status{.name = "rpi1100",
                           .role = "onsite",
                           .system = "default",
                           .server = "203.0.113.10:443",
                           .connected = true,
                           .status = "connected to 203.0.113.10:443 since 2026-01-14 09:00 UTC",
                           .version = "0.1.0"};
  const RunningSession session{.id = 1,
                               .session = "00000000000000ff",
                               .state = "established",
                               .peer = "rpi2000",
                               .since = 1768381920,
                               .rx_bytes = 12'300'000,
                               .tx_bytes = 1'200'000};
  BOOST_TEST(format_customer_view(status, {session}, 1768381920 + 250) ==
             "rpi1100 (onsite) of system default\n"
             "server:  connected to 203.0.113.10:443 since 2026-01-14 09:00 UTC\n"
             "session: rpi2000 (00000000000000ff), established since 2026-01-14 09:12 UTC: "
             "12.3 MB received, 1.2 MB sent in 4 min 10 s\n");
  auto interrupted = session;
  interrupted.state = "interrupted";
  interrupted.interrupted_since = session.since + 180;
  BOOST_TEST(format_customer_view(status, {interrupted}, 1768381920 + 250)
                 .find("session: rpi2000 (00000000000000ff), interrupted since 2026-01-14 09:15 "
                       "UTC: 12.3 MB received") != std::string::npos);
  auto fixed = status;
  fixed.uplink = "wwan0";
  BOOST_TEST(format_customer_view(fixed, {}, 0).find("\nuplink:  wwan0\n") != std::string::npos);
  fixed.uplink_fixed = true;
  BOOST_TEST(format_status(fixed, {}, 0).find("\nuplink:  wwan0 and no other (") !=
             std::string::npos);
  const auto idle = format_customer_view(status, {}, 0);
  BOOST_TEST(idle.ends_with("session: none; nobody is connected to your network\n"));
}

BOOST_AUTO_TEST_CASE(only_a_master_has_ports_to_tell_of) {
  AgentStatus status{.name = "rpi2000", .role = "master"};
  BOOST_TEST(format_status(status, {}, 0).find("\nport:    there is none; plug") !=
             std::string::npos);
  status.role = "onsite";
  BOOST_TEST(format_status(status, {}, 0).find("\nport:") == std::string::npos);
  BOOST_TEST(!nlohmann::json::parse(json_status(status, {})).contains("ports"));
}

BOOST_AUTO_TEST_CASE(a_device_without_enrolment_says_so) {
  BOOST_TEST(format_status({.version = "0.1.0"}, {}, 0)
                 .starts_with("not enrolled; enrol this device with: tundev enroll"));
}

BOOST_AUTO_TEST_CASE(a_complaint_says_what_failed_why_and_what_to_do_next) {
  BOOST_TEST(format_complaint("masterdev", {.what = "cannot open a session to rpi1100",
                                            .why = "it is busy",
                                            .next = "see who is on it with: masterdev -l"}) ==
             "masterdev: cannot open a session to rpi1100: it is busy\n"
             "masterdev: see who is on it with: masterdev -l\n");
  BOOST_TEST(format_complaint("tundev", {.what = "x", .why = "", .next = ""}) == "tundev: x\n");
}

BOOST_AUTO_TEST_CASE(each_bus_error_has_words_and_an_advice) {
  const auto absent =
      explain_bus_error("cannot list", "org.freedesktop.DBus.Error.ServiceUnknown", "The name ...");
  BOOST_TEST(absent.why == "the device's service is not running");
  BOOST_TEST(absent.next == "start it with: systemctl start tundev-agent");
  const auto denied = explain_bus_error("x", "org.freedesktop.DBus.Error.AccessDenied", "rejected");
  BOOST_TEST(denied.next.find("rdv-operator") != std::string::npos);
  const auto busy = explain_bus_error("x", "org.rdv.Error.Busy", "rpi2000 is on it");
  BOOST_TEST(busy.why == "rpi2000 is on it");
  BOOST_TEST(busy.next.find("masterdev -l") != std::string::npos);
  for (const auto* word :
       {"NotEnrolled", "NotConnected", "NotFound", "Denied", "WrongRole", "NoInterface", "Failed"})
    BOOST_TEST(!explain_bus_error("x", std::string{"org.rdv.Error."} + word, "why").next.empty());
}

BOOST_AUTO_TEST_CASE(the_agents_own_advice_wins) {
  const auto complaint =
      explain_bus_error("x", "org.rdv.Error.NotFound", "there is none; do this instead");
  BOOST_TEST(complaint.why == "there is none");
  BOOST_TEST(complaint.next == "do this instead");
  BOOST_TEST(explain_bus_error("x", "org.rdv.Error.NotFound", "there is none").next != "");
}

BOOST_AUTO_TEST_CASE(an_error_without_words_shows_its_name) {
  BOOST_TEST(explain_bus_error("x", "org.example.Odd", "").why == "org.example.Odd");
}

BOOST_AUTO_TEST_CASE(error_names_become_words_for_programs) {
  BOOST_TEST(error_word("org.rdv.Error.NotConnected") == "not_connected");
  BOOST_TEST(error_word("org.freedesktop.DBus.Error.ServiceUnknown") == "service_unknown");
  BOOST_TEST(error_word("Busy") == "busy");
}

BOOST_AUTO_TEST_CASE(a_device_of_the_other_role_is_refused_with_the_right_command) {
  const AgentStatus onsite{.name = "rpi1100", .role = "onsite"};
  BOOST_TEST(!role_problem("x", onsite, "onsite"));
  const auto problem = role_problem("x", onsite, "master");
  BOOST_REQUIRE(problem);
  BOOST_TEST(problem->why == "this device, rpi1100, is an onsite, not a master");
  BOOST_TEST(problem->next == "on an onsite use: onsitedev");
  const auto nobody = role_problem("x", {}, "master");
  BOOST_REQUIRE(nobody);
  BOOST_TEST(nobody->next.find("tundev enroll") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_server_is_compared_without_case_and_with_an_optional_port) {
  BOOST_TEST(server_mismatch("rdv.example.com", "RDV.example.com:443") == "");
  BOOST_TEST(server_mismatch("rdv.example.com:443", "rdv.example.com:443") == "");
  BOOST_TEST(server_mismatch("[2001:db8::1]:443", "[2001:DB8::1]:443") == "");
  BOOST_TEST(server_mismatch("2001:db8::1", "[2001:db8::1]:443") == "");
  BOOST_TEST(server_mismatch("rdv.example.com:8443", "rdv.example.com:443") != "");
  BOOST_TEST(server_mismatch("other.example.com", "rdv.example.com:443") ==
             "this device is enrolled with the server rdv.example.com:443, not other.example.com");
}
