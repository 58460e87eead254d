#include "netd_l2_site.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <signal.h>

/// L2 mode when netd is killed, and when the laptop's port is off.
namespace {

using namespace netd_test;

/// Kills a process with SIGKILL when it enters such a system call for the nth time from now on.
class KillAt {
 public:
  KillAt(const Host& host, pid_t pid, const std::string& call, int nth)
      : pid_{host.start({"strace", "-qq", "-o", "/dev/null", "-p", std::to_string(pid), "-e",
                         "trace=" + call, "-e",
                         fmt::format("inject={}:signal=KILL:when={}", call, nth)})} {
    BOOST_REQUIRE(until([&] { return tracer_of(pid) == pid_; }));
  }
  ~KillAt() { end_process(pid_, SIGTERM); }
  KillAt(KillAt&&) = delete;

 private:
  static pid_t tracer_of(pid_t pid) {
    std::ifstream status{fmt::format("/proc/{}/status", pid)};
    for (std::string word; status >> word;)
      if (pid_t tracer = 0; word == "TracerPid:" && status >> tracer) return tracer;
    return 0;
  }
  pid_t pid_;
};

/// Of a snapshot without what the kernel says up to a second later.
std::string settled(const std::string& snapshot) {
  static const std::regex late{" state [A-Z]+|,LOWER_UP|NO-CARRIER,|linkdown "};
  return std::regex_replace(snapshot, late, "");
}

/// Opens and closes a session again and again, and kills netd at one step later each time: before
/// every system call that can change the kernel.
/// @param restart  starts the next netd, and checks what the killed one has left
/// @return how many steps there are
int kill_at_each_step(const Host& host, const std::string& role, std::optional<Daemon>& netd,
                      std::optional<Client>& client, const std::function<void()>& restart) {
  const auto open_and_close = [&] {
    const auto end = client->OpenSession(session, l2_setup(role));
    client->CloseSession(session);
  };
  int steps = 0;
  for (const std::string call : {"sendmsg", "ioctl", "setsockopt", "write"})
    for (int nth = 1;; ++nth, ++steps) {
      BOOST_TEST_CONTEXT("killed at " << call << " number " << nth) {
        {
          const KillAt kill{host, netd->pid(), call, nth};
          error_of(open_and_close);
        }
        // Not waitid(): what was killed after its last answer may not have ended yet.
        if (error_of([&] { client->GetUplink(); }).empty()) break;
        netd->kill();
        restart();
      }
    }
  BOOST_TEST_MESSAGE("killed at " << steps << " steps");
  return steps;
}

BOOST_AUTO_TEST_SUITE(l2_kill)

BOOST_AUTO_TEST_CASE(an_onsites_netd_killed_at_any_step_of_opening_and_closing_leaves_nothing) {
  L2Site site;
  const auto restart = [&] {
    site.onsite_netd.emplace(site.onsite, site.onsite_bus, site.onsite_folder);
    site.onsite_client->SetRole("onsite");
    BOOST_TEST(site.is_idle(site.onsite, site.onsite_idle));
    BOOST_TEST(!site.is_promiscuous(site.onsite, "eth0"));
  };
  BOOST_TEST(
      kill_at_each_step(site.onsite, "onsite", site.onsite_netd, site.onsite_client, restart) > 20);
}

BOOST_AUTO_TEST_CASE(a_masters_netd_killed_at_any_step_of_opening_and_closing_leaves_nothing) {
  L2Site site;
  const auto restart = [&] {
    site.start_master();
    site.master_client->wait_added();
    BOOST_TEST(until_nothing(
        [&] { return line_changes(settled(site.master_idle), settled(lasting(site.master))); }));
    BOOST_TEST(!site.is_promiscuous(site.master, "usb0"));
    BOOST_TEST(site.is_on());
  };
  BOOST_TEST(
      kill_at_each_step(site.master, "master", site.master_netd, site.master_client, restart) > 20);
  BOOST_TEST(site.master_netd->stop() == 0);
  BOOST_TEST(site.is_on());
}

BOOST_AUTO_TEST_CASE(a_killed_netd_leaves_no_joint_and_the_next_one_makes_it_again) {
  L2Site site;
  const OwnConnection uplink{site};
  site.open_l2();
  site.move_laptop();
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  site.onsite_netd->kill();
  BOOST_TEST(ping(site.laptop, "192.168.1.50") == "silence");
  BOOST_TEST(ping(site.laptop, "192.168.1.10") == "silence");
  BOOST_TEST(uplink.works());
  BOOST_TEST(!site.is_promiscuous(site.onsite, "eth0"));
  site.onsite_netd.emplace(site.onsite, site.onsite_bus, site.onsite_folder);
  site.onsite_client->SetRole("onsite");
  site.onsite_client->AdoptSession(session, l2_setup("onsite"), std::get<0>(site.onsite_end));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.10", "answer"));
  BOOST_TEST(uplink.works());

  site.master_netd->kill();
  BOOST_TEST(ping(site.laptop, "192.168.1.50") != "answer");
  site.master_netd.emplace(site.master, site.master_bus, site.master_folder);
  site.master_client->SetRole("master");
  BOOST_TEST(site.master.processes("dnsmasq").empty());  // it would take the laptop's address away
  site.master_client->AdoptSession(session, l2_setup("master"), std::get<0>(site.master_end));
  BOOST_TEST(site.master.processes("dnsmasq").empty());
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  site.close();
  BOOST_TEST(uplink.works());
  site.check_nothing_left();
  BOOST_TEST(until([&] { return !site.master.processes("dnsmasq").empty(); }));
}

BOOST_AUTO_TEST_CASE(a_netd_killed_while_the_port_is_off_does_not_leave_it_so) {
  L2Site site;
  site.onsite_end = site.onsite_client->OpenSession(session, l2_setup("onsite"));
  site.master_end = site.master_client->OpenSession(session, l2_setup("master"));
  site.kill_master_while_off();
  site.laptop.must("ip link set lap0 down");  // its adapter and ours negotiate yet
  site.start_master();
  BOOST_TEST(site.is_on());
  site.master_client->AdoptSession(session, l2_setup("master"), std::get<0>(site.master_end));
  site.pump.emplace(std::get<0>(site.master_end).get(), std::get<0>(site.onsite_end).get());
  site.laptop.must("ip link set lap0 up");
  site.wait_cable();
  site.move_laptop();
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));

  site.close();
  site.kill_master_while_off();
  site.start_master();
  BOOST_TEST(get_lease(site.laptop, "lap0", site.master_folder));
  site.check_nothing_left();
  site.master_netd->stop();
  BOOST_TEST(site.is_on());  // as it was when the first of them came
}

BOOST_AUTO_TEST_CASE(the_mode_changes_while_the_port_is_off) {
  L2Site site;
  const auto before = site.carrier_changes();
  site.open_l2_at_once();
  site.close();
  BOOST_TEST(!site.is_on());
  site.open({{"192.168.1.0/24", 0, 0, 0}});
  BOOST_TEST(!site.is_on());
  site.wait_cable();
  BOOST_TEST(site.carrier_changes() == before + 2);
  BOOST_TEST(get_lease(site.laptop, "lap0", site.master_folder));
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  site.close();
  site.open_l2_at_once();
  site.wait_cable();
  site.move_laptop();
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  site.close();
  site.wait_cable();
  BOOST_TEST(get_lease(site.laptop, "lap0", site.master_folder));
  site.check_nothing_left();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
