#define BOOST_TEST_MODULE cli
// The real masterdev, onsitedev and tundev against a scripted tundev-agent on a bus of their own.
#include "component/device/cli_session.hpp"
#include "wire/enrolment_code.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <future>
#include <signal.h>

using namespace device::test;
using nlohmann::json;

namespace {

Facts royal() {
  return {{"name", Variant{std::string{"rpi1100"}}},
          {"site", Variant{std::string{"Royal Champagne, boiler room"}}},
          {"lan", Variant{std::string{"192.168.1.10/24"}}},
          {"dns", Variant{std::vector<std::string>{"192.168.1.1"}}},
          {"online", Variant{true}},
          {"since", Variant{std::uint64_t{1768381920}}}};
}

/// @return true when `text` has two lines that begin with the program's name
bool is_complaint(const std::string& text, const std::string& program) {
  const auto second = text.find('\n');
  return text.starts_with(program + ": ") && second != std::string::npos &&
         text.substr(second + 1).starts_with(program + ": ");
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_list_is_a_table_with_a_total, Device) {
  agent->on_list = [] { return std::vector{royal()}; };
  Command list{MASTERDEV, {"-l"}};
  BOOST_TEST(list.line()->starts_with("NAME     SITE"));
  const auto row = *list.line();
  BOOST_TEST(row.find("Royal Champagne, boiler room  -         192.168.1.10/24") !=
             std::string::npos);
  BOOST_TEST(row.find("online since 2026-01-14 09:12 UTC") != std::string::npos);
  BOOST_TEST(*list.line() == "1 onsite, 1 online");
  BOOST_TEST(list.exit_code() == 0);
  BOOST_TEST(list.complaints() == "");
}

BOOST_FIXTURE_TEST_CASE(the_list_for_programs_is_json, Device) {
  agent->on_list = [] { return std::vector{royal()}; };
  Command list{MASTERDEV, {"-l", "--json", "-T"}};
  const auto object = json::parse(*list.line());
  BOOST_TEST(object["total"] == 1);
  BOOST_TEST(object["devices"][0]["name"] == "rpi1100");
  BOOST_TEST(list.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_session_is_held_until_a_signal_and_closed_cleanly, Willing) {
  for (const auto& [signal, why] :
       {std::pair{SIGINT, ""}, std::pair{SIGTERM, "masterdev was told to stop"},
        std::pair{SIGHUP, "terminal_closed"}}) {
    Command open{MASTERDEV, {"-o", "rpi1100", "-m", "l3", "-t", "3600"}};
    BOOST_TEST(*open.line() == "opening...");
    BOOST_TEST(*open.line() == established_line);
    open.send(signal);
    BOOST_TEST(*open.line() == closed_line);
    BOOST_TEST(open.exit_code() == 0);
    BOOST_TEST(open.complaints() == "");
    BOOST_TEST(reason == why);
    BOOST_TEST(opened.at("mode").get<std::string>() == "L3");
    BOOST_TEST(opened.at("seconds").get<std::uint32_t>() == 3600U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_closed_pipe_ends_the_session, Willing) {
  std::promise<void> closed;
  agent->on_close = [&](std::uint64_t which, const std::string&) {
    agent->say(which, "closed", closed_facts("operator", "the engineer ended it", false));
    closed.set_value();
  };
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  BOOST_TEST(*open.line() == "opening...");
  open.hang_up();
  agent->say(id, "waiting", {{"text", Variant{std::string{"it is offline"}}}});
  BOOST_TEST((closed.get_future().wait_for(patience) == std::future_status::ready));
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(an_offline_onsite_is_waited_for, Device) {
  agent->on_open = [this](const std::string&, const Facts&) {
    agent->say(id, "waiting",
               {{"reason", Variant{std::string{"offline"}}},
                {"text", Variant{std::string{"rpi1100 is offline since 2026-01-14 09:12 UTC"}}}});
    return id;
  };
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  BOOST_TEST(*open.line() ==
             "rpi1100 is offline since 2026-01-14 09:12 UTC: waiting for it; Ctrl-C to stop");
  agent->say(id + 1, "closed", closed_facts("operator", "somebody else's", false));
  agent->say(id, "opening", {});
  agent->say(id, "established", established_facts());
  agent->say(id, "warning", {{"text", Variant{std::string{"two adapters: eth1 is used"}}}});
  agent->say(id, "closed", closed_facts("time_limit", "its time is over", false));
  BOOST_TEST(*open.line() == "opening...");
  BOOST_TEST(*open.line() == established_line);
  BOOST_TEST(open.line()->starts_with("session closed: its time is over; "));
  BOOST_TEST(open.exit_code() == 0);
  BOOST_TEST(open.complaints() == "masterdev: warning: two adapters: eth1 is used\n");
}

BOOST_FIXTURE_TEST_CASE(a_session_that_breaks_off_is_a_failure, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  agent->say(id, "closed", closed_facts("unplugged", "the laptop's adapter was unplugged", true));
  BOOST_TEST(open.line()->starts_with("session closed: the laptop's adapter was unplugged; "));
  BOOST_TEST(open.exit_code() == 1);
  BOOST_TEST(is_complaint(open.complaints(), "masterdev"));
  BOOST_TEST(says(open, "plug the laptop in again"));
}

BOOST_FIXTURE_TEST_CASE(every_event_is_a_json_line, Willing) {
  Command open{MASTERDEV, {"-o", "rpi1100", "--json"}};
  BOOST_TEST(json::parse(*open.line())["state"] == "opening");
  BOOST_TEST(json::parse(*open.line())["open_ms"] == 43.0);
  agent->say(id, "closed", closed_facts("integrity", "altered", true));
  const auto closed = json::parse(*open.line());
  BOOST_TEST(closed["code"] == "integrity");
  BOOST_TEST(closed["rx_bytes"] == 12'300'000);
  BOOST_TEST(json::parse(*open.line())["state"] == "error");
  BOOST_TEST(open.exit_code() == 1);
}

BOOST_FIXTURE_TEST_CASE(debug_output_goes_to_standard_error, Willing) {
  Command open{MASTERDEV, {"-d", "-o", "rpi1100"}};
  open.line();
  open.line();
  open.send(SIGINT);
  BOOST_TEST(open.exit_code() == 0);
  BOOST_TEST(says(open, "\"state\":\"established\""));
  BOOST_TEST(says(open, "debug: closing"));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_said_with_the_agents_words, Device) {
  for (const auto& [error, advice] :
       {std::pair{"NotConnected", "tundev status"}, std::pair{"NoInterface", "plug the laptop"},
        std::pair{"Busy", "masterdev -l"}}) {
    agent->on_open = [error = error](const std::string&, const Facts&) -> std::uint64_t {
      throw sdbus::Error{std::string{"org.rdv.Error."} + error, "so it is"};
    };
    Command open{MASTERDEV, {"-o", "rpi1100"}};
    BOOST_TEST(open.exit_code() == 1);
    BOOST_TEST(
        open.complaints().starts_with("masterdev: cannot open a session to rpi1100: so it is\n"));
    BOOST_TEST(says(open, advice));
  }
}

BOOST_AUTO_TEST_CASE(a_bus_that_dies_ends_the_command) {
  auto device = std::make_unique<Willing>();
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  device->stop_agent();
  device.reset();
  BOOST_TEST(open.exit_code() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_second_ctrl_c_does_not_wait_for_the_agent, Willing) {
  std::promise<void> asked;
  agent->on_close = [&](std::uint64_t, const std::string&) { asked.set_value(); };
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  BOOST_TEST(*open.line() == established_line);
  open.send(SIGINT);
  asked.get_future().wait_for(patience);
  open.send(SIGINT);
  BOOST_TEST(open.exit_code() == 1);
  BOOST_TEST(says(open, "left without waiting"));
}

BOOST_FIXTURE_TEST_CASE(a_session_gone_before_close_is_no_failure, Willing) {
  agent->on_close = [this](std::uint64_t which, const std::string&) {
    agent->say(which, "closed", closed_facts("time_limit", "its time is over", false));
    throw sdbus::Error{"org.rdv.Error.NotFound", "there is no such session"};
  };
  Command open{MASTERDEV, {"-o", "rpi1100"}};
  open.line();
  open.line();
  open.send(SIGINT);
  BOOST_TEST(open.line()->starts_with("session closed: its time is over"));
  BOOST_TEST(open.exit_code() == 0);
}

BOOST_AUTO_TEST_CASE(without_an_agent_or_a_bus_each_command_says_what_to_do) {
  {
    const PrivateBus bus;
    for (const auto& [program, arguments] :
         {std::pair{MASTERDEV, std::vector<std::string>{"-l"}},
          std::pair{MASTERDEV, std::vector<std::string>{"-o", "rpi1100"}},
          std::pair{ONSITEDEV, std::vector<std::string>{}},
          std::pair{TUNDEV, std::vector<std::string>{"status"}}}) {
      Command command{program, arguments};
      BOOST_TEST(command.exit_code() == 1);
      BOOST_TEST(says(command, "the device's service is not running\n"));
      BOOST_TEST(says(command, ": start it with: systemctl start tundev-agent\n"));
    }
    Command version{TUNDEV, {"version"}};
    BOOST_TEST(*version.line() == "tundev " RDV_VERSION);
    BOOST_TEST(version.exit_code() == 0);
  }
  Command list{MASTERDEV, {"-l"}};  // the bus is gone too
  BOOST_TEST(list.exit_code() == 1);
  BOOST_TEST(says(list, "there is no system bus"));
}

BOOST_AUTO_TEST_CASE(a_person_outside_the_group_is_told_how_to_get_in) {
  const Device device{
      "<deny send_interface=\"org.rdv.Device1\"/>"
      "<deny send_destination=\"org.rdv.Device1\"/>"};
  Command list{MASTERDEV, {"-l"}};
  BOOST_TEST(list.exit_code() == 1);
  BOOST_TEST(says(list, "you are not allowed to use the device's service"));
  BOOST_TEST(says(list, "rdv-operator"));
}

BOOST_FIXTURE_TEST_CASE(wrong_usage_is_exit_code_2, Device) {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"-l", "-o", "rpi1100"},
                                                    {"-o", "Not A Name"},
                                                    {"--nonsense"},
                                                    {"-o", "rpi1100", "-m", "L4"},
                                                    {"-o", "rpi1100", "-t", "604801"}};
  for (const auto& arguments : wrong) {
    Command command{MASTERDEV, arguments};
    BOOST_TEST(command.exit_code() == 2);
    BOOST_TEST(is_complaint(command.complaints(), "masterdev"));
    BOOST_TEST(command.rest() == "");
  }
  Command help{MASTERDEV, {"--help"}};
  BOOST_TEST(help.exit_code() == 0);
  BOOST_TEST(help.complaints() == "");
}

BOOST_FIXTURE_TEST_CASE(device_and_server_options_must_name_this_device_and_its_server, Device) {
  Command same{MASTERDEV, {"-l", "-u", "rpi2000", "-R", "203.0.113.10"}};
  BOOST_TEST(same.exit_code() == 0);
  Command other_device{MASTERDEV, {"-l", "-u", "rpi2001"}};
  BOOST_TEST(other_device.exit_code() == 2);
  BOOST_TEST(says(other_device, "-u says rpi2001, but this device is enrolled as rpi2000"));
  Command other_server{MASTERDEV, {"-l", "-R", "203.0.113.10:8443"}};
  BOOST_TEST(other_server.exit_code() == 2);
  BOOST_TEST(says(other_server, "enrolled with the server 203.0.113.10:443"));
  ::setenv("RDV_SERVER_HOSTNAME", "rdv.example.com", 1);
  Command variable{MASTERDEV, {"-l"}};
  BOOST_TEST(variable.exit_code() == 2);
  BOOST_TEST(says(variable, "$RDV_SERVER_HOSTNAME"));
  Command overridden{MASTERDEV, {"-l", "-R", "203.0.113.10"}};
  BOOST_TEST(overridden.exit_code() == 0);
  ::unsetenv("RDV_SERVER_HOSTNAME");
}

BOOST_FIXTURE_TEST_CASE(each_role_has_its_command, Device) {
  Command onsite_command{ONSITEDEV, {}};
  BOOST_TEST(onsite_command.exit_code() == 1);
  BOOST_TEST(says(onsite_command, "is a master, not an onsite"));
  agent->role = "onsite";
  Command master_command{MASTERDEV, {"-o", "rpi1100"}};
  BOOST_TEST(master_command.exit_code() == 1);
  BOOST_TEST(says(master_command, "is an onsite, not a master"));
  agent->name = agent->role = "";
  Command nobody{MASTERDEV, {"-l"}};
  BOOST_TEST(nobody.exit_code() == 1);
  BOOST_TEST(says(nobody, "tundev enroll CODE"));
}

BOOST_FIXTURE_TEST_CASE(the_customer_sees_and_ends_the_session, Device) {
  agent->name = "rpi1100";
  agent->role = "onsite";
  Command idle{ONSITEDEV, {"stop"}};
  BOOST_TEST(idle.exit_code() == 1);
  BOOST_TEST(says(idle, "nobody is connected"));

  agent->on_sessions = [] {
    return std::vector{Facts{{"id", Variant{id}},
                             {"session", Variant{std::string{"00000000000000ff"}}},
                             {"state", Variant{std::string{"established"}}},
                             {"peer", Variant{std::string{"rpi2000"}}},
                             {"since", Variant{std::uint64_t{1768381920}}},
                             {"rx_bytes", Variant{std::uint64_t{1000}}},
                             {"tx_bytes", Variant{std::uint64_t{2000}}}}};
  };
  agent->on_close = [this](std::uint64_t which, const std::string&) {
    agent->say(which, "closed", closed_facts("customer", "the customer ended it", true));
  };
  Command show{ONSITEDEV, {}};
  BOOST_TEST(*show.line() == "rpi1100 (onsite) of system default");
  show.line();
  BOOST_TEST(show.line()->starts_with("session: rpi2000 (00000000000000ff), established since "));
  BOOST_TEST(show.exit_code() == 0);

  Command programs{ONSITEDEV, {"status", "--json"}};
  BOOST_TEST(json::parse(*programs.line())["sessions"][0]["peer"] == "rpi2000");
  BOOST_TEST(programs.exit_code() == 0);

  Command unknown{ONSITEDEV, {"stop", "0000000000000000"}};
  BOOST_TEST(unknown.exit_code() == 1);
  Command stop{ONSITEDEV, {"stop", "00000000000000ff"}};
  BOOST_TEST(*stop.line() ==
             "session with rpi2000 ended: 12.3 MB received, 1.2 MB sent in 4 min 10 s");
  BOOST_TEST(stop.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_customer_fixes_the_uplink_and_gives_it_back, Device) {
  agent->name = "rpi1100";
  agent->role = "onsite";
  Command fix{ONSITEDEV, {"-U", "wwan0"}};
  BOOST_TEST(fix.line()->starts_with("the RDV server is reached by wwan0 and no other interface"));
  BOOST_TEST(fix.exit_code() == 0);
  BOOST_TEST(agent->uplink == "wwan0");
  Command programs{ONSITEDEV, {"--json", "-U", "eth1"}};
  const auto told = json::parse(*programs.line());
  BOOST_TEST(told["uplink"] == "eth1");
  BOOST_TEST(told["uplink_fixed"] == true);
  Command automatic{ONSITEDEV, {"-U", "auto"}};
  BOOST_TEST(*automatic.line() == "the RDV server is reached as device.toml says");
  BOOST_TEST(agent->uplink.empty());
  Command nameless{ONSITEDEV, {"-U", ""}};
  BOOST_TEST(nameless.exit_code() == 2);
}

BOOST_FIXTURE_TEST_CASE(enrolment_takes_the_code_in_any_form_and_tells_who_we_are, Device) {
  tunnel::wire::EnrolmentCode code{
      .server = "203.0.113.10:443", .ca_fingerprint = {}, .secret = {}};
  std::vector<std::string> words{"enroll"}, seen;
  std::string word;
  for (const char c : code.str()) {
    if (c != '-') word += c;
    if (c == '-' || word.size() == 10) words.push_back(std::exchange(word, ""));
  }
  if (!word.empty()) words.push_back(word);
  agent->on_enroll = [&](const std::string& text) {
    BOOST_TEST(tunnel::wire::EnrolmentCode::parse(text)->str() == code.str());
    return std::tuple{std::string{"rpi1100"}, std::string{"onsite"}, std::string{"default"}};
  };
  Command several{TUNDEV, words};
  BOOST_TEST(*several.line() ==
             "enrolled as rpi1100 (onsite) of system default at 203.0.113.10:443");
  BOOST_TEST(several.exit_code() == 0);
  Command piped{TUNDEV, {"enroll", "-", "--json"}, code.str() + "\n"};
  BOOST_TEST(json::parse(*piped.line())["name"] == "rpi1100");
  BOOST_TEST(piped.exit_code() == 0);

  Command mistyped{TUNDEV, {"enroll", "ABCDE-FGHJK"}};
  BOOST_TEST(mistyped.exit_code() == 1);
  BOOST_TEST(says(mistyped, "mistyped or incomplete"));
  agent->on_enroll = [](const std::string&) -> std::tuple<std::string, std::string, std::string> {
    throw sdbus::Error{"org.rdv.Error.Denied", "this code was used already"};
  };
  Command used{TUNDEV, {"enroll", code.str()}};
  BOOST_TEST(used.exit_code() == 1);
  BOOST_TEST(says(used, "tundev: cannot enrol this device: this code was used already\n"));
}

BOOST_FIXTURE_TEST_CASE(tundev_status_tells_who_this_device_is, Device) {
  Command text{TUNDEV, {"status"}};
  BOOST_TEST(*text.line() == "rpi2000 (master) of system default");
  BOOST_TEST(text.exit_code() == 0);
  Command programs{TUNDEV, {"status", "--json"}};
  BOOST_TEST(json::parse(*programs.line())["connected"] == true);
  BOOST_TEST(programs.exit_code() == 0);
}

BOOST_FIXTURE_TEST_CASE(tundev_status_says_of_each_port_why_it_is_not_the_laptops, Device) {
  const auto port = [](const char* port_name, const char* reason, const char* remedy) {
    return Facts{{"name", std::string{port_name}},
                 {"laptop", *reason == '\0'},
                 {"reason", std::string{reason}},
                 {"remedy", std::string{remedy}}};
  };
  agent->on_ports = [&] {
    return std::vector{port("eth0", "it is a way\nto the Internet", "use another"),
                       port("usb0", "", "")};
  };
  Command text{TUNDEV, {"status"}};
  BOOST_TEST(text.exit_code() == 0);
  // Nothing that comes over the bus can forge a line.
  BOOST_TEST_CONTEXT(text.rest())
  BOOST_TEST((text.rest().find("\nport:    eth0 is not the laptop's: it is a way?to the Internet; "
                               "use another\n"
                               "port:    usb0 is the laptop's, 192.168.38.225/29\n") !=
              std::string::npos));
  Command programs{TUNDEV, {"status", "--json"}};
  const auto shown = json::parse(*programs.line());
  BOOST_TEST(shown["ports"][0]["remedy"] == "use another");
  BOOST_TEST(shown["ports"][1]["laptop"] == true);
  BOOST_TEST(shown["port_address"] == "192.168.38.225/29");
  agent->on_ports = []() -> std::vector<Facts> {
    throw sdbus::Error{"org.rdv.Error.Failed", "its network service does not run; start it"};
  };
  Command without{TUNDEV, {"status"}};
  BOOST_TEST(without.exit_code() == 0, "the rest is told all the same");
  BOOST_TEST((without.rest().find("\nport:    its network service does not run; start it\n") !=
              std::string::npos));
}
