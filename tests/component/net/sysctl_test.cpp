#include "net/sysctl.hpp"

#include "component/net/support.hpp"
#include "net/net_error.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <optional>

using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

constexpr auto key = "ipv4/conf/usb0/forwarding";

struct PortAndJournal {
  std::optional<VethPair> veth{std::in_place, "usb0", "usb1"};
  std::string journal = run("mktemp -d | tr -d '\\n'") + "/notes";
  ~PortAndJournal() { std::filesystem::remove_all(std::filesystem::path{journal}.parent_path()); }

  Sysctl::Spec forwarding() const { return {.key = key, .value = "1", .journal = journal}; }
  bool noted() const {
    return std::filesystem::exists(journal) && !std::filesystem::is_empty(journal);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sysctl, PortAndJournal)

BOOST_AUTO_TEST_CASE(a_value_is_set_and_put_back) {
  const auto before = snapshot();
  {
    const Sysctl on{forwarding()};
    BOOST_TEST(read_sysctl(key).value() == "1");
    BOOST_TEST(noted());
  }
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(!noted());
}

BOOST_AUTO_TEST_CASE(a_value_that_was_right_already_is_not_undone) {
  write_sysctl(key, "1");
  {
    const Sysctl on{forwarding()};
    BOOST_TEST(!noted());
  }
  BOOST_TEST(read_sysctl(key).value() == "1");
}

BOOST_AUTO_TEST_CASE(a_value_that_somebody_changed_since_stays) {
  {
    const Sysctl filter{{.key = "ipv4/conf/usb0/rp_filter", .value = "2", .journal = journal}};
    write_sysctl("ipv4/conf/usb0/rp_filter", "1");
  }
  BOOST_TEST(read_sysctl("ipv4/conf/usb0/rp_filter").value() == "1");
  BOOST_TEST(!noted());
}

BOOST_AUTO_TEST_CASE(an_unplugged_link_is_a_normal_case) {
  {
    const Sysctl on{forwarding()};
    veth.reset();
  }
  BOOST_TEST(!noted());
  veth.emplace("usb0", "usb1");
  {
    const Sysctl on{forwarding()};
    veth.reset();
    veth.emplace("usb0", "usb1");  // with fresh values
  }
  BOOST_TEST(read_sysctl(key).value() == "0");
}

BOOST_AUTO_TEST_CASE(an_unknown_key_or_value_is_refused) {
  const auto before = snapshot();
  BOOST_TEST(refusal([&] {
               Sysctl{{.key = "ipv4/conf/usb7/forwarding", .value = "1", .journal = journal}};
             }) == "set sysctl net/ipv4/conf/usb7/forwarding to 1: No such file or directory");
  BOOST_TEST(refusal([&] { Sysctl{{.key = key, .value = "perhaps", .journal = journal}}; }) ==
             "set sysctl net/ipv4/conf/usb0/forwarding to perhaps: Invalid argument");
  BOOST_TEST(refusal([&] {
               Sysctl{{.key = key, .value = "1", .journal = "/proc/no"}};
             }).starts_with("note the value of ipv4/conf/usb0/forwarding in /proc/no: "));
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(!noted());
}

BOOST_AUTO_TEST_CASE(an_unprivileged_user_with_net_admin_may) {
  const auto before = snapshot();
  run_unprivileged([&] {
    const Sysctl on{{.key = key, .value = "1"}};
    if (read_sysctl(key) != "1") throw NetError{EPERM, "test"};
  });
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(notes_put_back_what_a_kill_left) {
  const auto before = snapshot();
  run_and_kill([&] {
    new Sysctl{forwarding()};
    new Sysctl{{.key = "ipv4/conf/usb0/rp_filter", .value = "2", .journal = journal}};
  });
  BOOST_TEST(read_sysctl(key).value() == "1");
  BOOST_TEST(restore_sysctls(journal) == 2U);
  BOOST_TEST(changes_since(before) == "");
  BOOST_TEST(!noted());
  BOOST_TEST(restore_sysctls(journal) == 0U);
  BOOST_TEST(restore_sysctls("/nonexistent/journal") == 0U);
}

BOOST_AUTO_TEST_CASE(a_broken_note_is_thrown_away) {
  const auto before = snapshot();
  run("mkdir -p " + journal + " && echo half >" + journal + "/a && touch " + journal + "/b.new");
  BOOST_TEST(restore_sysctls(journal) == 0U);
  BOOST_TEST(!noted());
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_SUITE_END()
