#include "component/net/support.hpp"
#include "net/guard_table.hpp"
#include "net/net_error.hpp"
#include "net/nft_table.hpp"

#include <boost/test/unit_test.hpp>

using namespace tunnel::net;
using namespace tunnel::net::test;

namespace {

constexpr auto masquerade =
    "chain post { type nat hook postrouting priority srcnat; policy accept; oifname \"rdv0\" "
    "masquerade; };";

NftTable::Spec session(const std::string& body) {
  return {.name = "rdv_session", .body = body};
}

std::string ruleset() {
  return run("nft list ruleset");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nft)

BOOST_AUTO_TEST_CASE(a_table_is_there_and_then_gone) {
  const auto before = snapshot();
  {
    const NftTable table{session(masquerade)};
    BOOST_TEST(contains(ruleset(), "oifname \"rdv0\" masquerade"));
    BOOST_TEST(contains(ruleset(), "flags owner"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(others_cannot_flush_it_and_it_leaves_others_alone) {
  run("nft add table ip rdv_sessions && nft add chain ip rdv_sessions a");
  const auto before = snapshot();
  {
    const NftTable table{session(masquerade)};
    BOOST_TEST(!succeeds("nft delete table ip rdv_session"));
    BOOST_TEST(contains(ruleset(), "masquerade"));
  }
  BOOST_TEST(changes_since(before) == "");
  {
    const NftTable table{session(masquerade)};
    run("nft flush ruleset");
    BOOST_TEST(contains(ruleset(), "masquerade"));
  }
  BOOST_TEST(ruleset().empty());
}

BOOST_AUTO_TEST_CASE(a_table_of_that_name_is_refused_whoever_owns_it) {
  run("nft add table ip rdv_session && nft add chain ip rdv_session a");
  const auto before = snapshot();
  const auto text = refusal([] { NftTable{session(masquerade)}; });
  BOOST_TEST(text == "load nft table ip rdv_session: File exists");
  BOOST_TEST(changes_since(before) == "");
  run("nft delete table ip rdv_session");
  const NftTable table{session(masquerade)};
  BOOST_CHECK_THROW(NftTable{session(masquerade)}, NetError);
}

BOOST_AUTO_TEST_CASE(a_table_with_a_mistake_changes_nothing_and_says_where) {
  const auto before = snapshot();
  const auto text = refusal([] { NftTable{session("chain post { nonsense }")}; });
  BOOST_TEST(text.starts_with("load nft table ip rdv_session (syntax error"));
  BOOST_TEST(text.ends_with(": Invalid argument"));
  BOOST_CHECK_THROW(NftTable{session("chain a { jump nowhere; };")}, NetError);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(its_contents_are_replaced_at_once_or_not_at_all) {
  const auto before = snapshot();
  {
    NftTable table{session(masquerade)};
    table.replace("chain other { };");
    const auto now = ruleset();
    BOOST_TEST(contains(now, "chain other"));
    BOOST_TEST(!contains(now, "masquerade"));
    BOOST_CHECK_THROW(table.replace("chain a { jump nowhere; };"), NetError);
    BOOST_TEST(ruleset() == now);
    BOOST_TEST(contains(now, "flags owner"));
  }
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(it_dies_with_its_process) {
  const auto before = snapshot();
  run_and_kill([] {
    new NftTable{session(masquerade)};
    if (!contains(ruleset(), "masquerade")) throw NetError{ENOENT, "test"};
  });
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(an_unprivileged_user_with_net_admin_may) {
  run_unprivileged([] {
    const NftTable table{session(masquerade)};
    GuardTable{}.apply({"usb0"});
  });
  BOOST_TEST(contains(ruleset(), "table inet rdv_guard"));
  GuardTable{}.remove();
}

BOOST_AUTO_TEST_CASE(the_guard_applied_twice_is_the_guard) {
  const auto before = snapshot();
  GuardTable{}.apply({"usb0"});
  const auto once = ruleset();
  BOOST_TEST(contains(once, "meta mark 0x52445600/24 accept"));
  BOOST_TEST(contains(once, "iifname \"rdv*\" drop"));
  BOOST_TEST(contains(once, "elements = { \"usb0\" }"));
  GuardTable{}.apply({"usb0", "usb0"});
  BOOST_TEST(ruleset() == once);
  GuardTable{}.apply({"usb1", "eth0.100"});
  BOOST_TEST(contains(ruleset(), "\"usb1\""));
  BOOST_TEST(!contains(ruleset(), "\"usb0\""));
  GuardTable{}.apply({});
  BOOST_TEST(contains(ruleset(), "iifname \"rdv*\" drop"));
  GuardTable{}.remove();
  GuardTable{}.remove();
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_CASE(the_guard_outlives_its_process) {
  run_and_kill([] { GuardTable{}.apply({"usb0"}); });
  BOOST_TEST(contains(ruleset(), "table inet rdv_guard"));
  GuardTable{}.remove();
}

BOOST_AUTO_TEST_CASE(a_name_that_is_no_name_does_not_get_into_the_guard) {
  const auto before = snapshot();
  BOOST_TEST(refusal([] { GuardTable{}.apply({"usb*"}); }) ==
             "guard link \"usb*\": Invalid argument");
  BOOST_CHECK_THROW(GuardTable{}.apply({"a\" }\nflush ruleset\n"}), NetError);
  BOOST_CHECK_THROW(GuardTable{}.apply({""}), NetError);
  BOOST_CHECK_THROW(GuardTable{}.apply({"a name longer than any link's"}), NetError);
  BOOST_TEST(changes_since(before) == "");
}

BOOST_AUTO_TEST_SUITE_END()
