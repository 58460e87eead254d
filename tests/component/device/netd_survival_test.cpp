#include "netd_site.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <sys/socket.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/// What becomes of a session when an agent or a netd is killed with 9, and another one comes.
namespace {

using namespace netd_test;
using Note = std::vector<std::uint8_t>;

constexpr auto hold_variable = "NETD_TEST_HOLD_NOTED_SESSION";
constexpr auto noted_variable = "NETD_TEST_NOTED";  // a file that says so
const Note note{1, 2, 3};
const Allow whole_lan{{"192.168.1.0/24", 0, 0, 0}};
constexpr std::uint64_t session = 7;

/// This program again, as an agent that opens a session, leaves a note and holds it: what gets
/// killed.
const bool holding = [] {
  if (const char* address = ::getenv(hold_variable))
    hold_session(address, onsite_setup(whole_lan), note, ::getenv(noted_variable));
  return false;
}();

/// A TCP connection from the laptop to the camera.
class Connection {
 public:
  explicit Connection(const Site& site) {
    tunnel::UniqueFd listening;
    site.camera.enter([&] { listening = socket(); });
    sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(2222), .sin_addr = {}, .sin_zero = {}};
    BOOST_REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    BOOST_REQUIRE(::listen(listening.get(), 1) == 0);
    site.laptop.enter([&] { laptop_ = socket(); });
    ::inet_pton(AF_INET, "192.168.1.50", &at.sin_addr);
    BOOST_REQUIRE(::connect(laptop_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    camera_ = tunnel::UniqueFd{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    BOOST_REQUIRE(camera_);
  }

  void say() const {
    ::send(laptop_.get(), "l", 1, MSG_NOSIGNAL);
    ::send(camera_.get(), "c", 1, MSG_NOSIGNAL);
  }
  /// Whether all that was said arrives at both ends.
  bool hears(std::size_t count) const {
    return until([&] { return waiting(laptop_) == count && waiting(camera_) == count; });
  }
  bool is_silent() const { return waiting(laptop_) == 0 && waiting(camera_) == 0; }
  /// Neither end was reset.
  bool lives() const { return error(laptop_) == 0 && error(camera_) == 0; }
  void take() const {
    char bytes[64];
    for (const auto* end : {&laptop_, &camera_})
      while (::recv(end->get(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
      }
  }

 private:
  static tunnel::UniqueFd socket() {
    return tunnel::UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  }
  static std::size_t waiting(const tunnel::UniqueFd& end) {
    char bytes[64];
    const auto got = ::recv(end.get(), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 ? 0 : static_cast<std::size_t>(got);
  }
  static int error(const tunnel::UniqueFd& end) {
    int code = 0;
    socklen_t size = sizeof code;
    ::getsockopt(end.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    return code;
  }

  tunnel::UniqueFd laptop_, camera_;
};

BOOST_AUTO_TEST_SUITE(survival)

BOOST_AUTO_TEST_CASE(a_connection_lives_through_a_killed_netd_and_nothing_passes_meanwhile) {
  Site site;
  const Service web{site.camera, Service::Kind::tcp, 80};
  site.open(whole_lan);
  const Connection connection{site};
  connection.say();
  BOOST_REQUIRE(connection.hears(1));
  connection.take();

  const auto gap = [&](Daemon& netd) {
    netd.kill();
    connection.say();  // an agent that still pumped would bring it nowhere
    BOOST_TEST(reach_tcp(site.laptop, "192.168.1.50", 80) == "silence");
    BOOST_TEST(ping(site.laptop, "192.168.1.50") == "silence");
    BOOST_TEST(connection.is_silent());
    BOOST_TEST(connection.lives());
  };
  gap(*site.onsite_netd);
  site.onsite_netd.emplace(site.onsite, site.onsite_bus, site.onsite_folder);
  site.onsite_client->SetRole("onsite");
  BOOST_TEST(connection.is_silent());
  BOOST_TEST(site.onsite_client->AdoptSession(session, onsite_setup(whole_lan),
                                              std::get<0>(site.onsite_end)) == "rdv0");
  BOOST_TEST(connection.hears(1));
  BOOST_TEST(connection.lives());
  connection.take();

  gap(*site.master_netd);
  site.master_netd.emplace(site.master, site.master_bus, site.master_folder);
  site.master_client->SetRole("master");
  BOOST_TEST(ping(site.laptop, "192.168.1.50") == "silence");
  BOOST_TEST(site.master_client->AdoptSession(session, master_setup({"192.168.1.50"}),
                                              std::get<0>(site.master_end)) == "rdv0");
  BOOST_TEST(connection.hears(1));
  BOOST_TEST(connection.lives());
  BOOST_TEST(ping_says(site.laptop, "192.168.1.50", "answer"));
  BOOST_TEST(tcp_says(site.laptop, "192.168.1.50", 80, "open"));
  site.close();
}

/// An onsite alone, with netd.
struct Onsite {
  Onsite() {
    cable(host, "eth0", lan, "eth0");
    host.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    untouched = host.snapshot();
    start();
    idle = host.snapshot();
  }
  void start() {
    daemon.emplace(host, bus, folder);
    client.emplace(bus);
    client->SetRole("onsite");
  }
  pid_t start_agent() {
    const pid_t agent =
        host.start({"/proc/self/exe"}, {std::string{hold_variable} + "=" + bus.address(),
                                        std::string{noted_variable} + "=" + folder / "noted"});
    BOOST_REQUIRE(until([&] { return std::filesystem::exists(folder / "noted"); }));
    return agent;
  }
  bool has_link() { return host.run("ip link show rdv0").code == 0; }
  bool is_idle() { return line_changes(idle, host.snapshot()).empty(); }
  /// What KeptSession is refused with.
  std::string none() {
    return error_of([&] { client->KeptSession(); });
  }
  std::string adopt(const sdbus::UnixFd& tun, const Allow& allow = whole_lan) {
    return error_of([&] { client->AdoptSession(session, onsite_setup(allow), tun); });
  }

  Host host, lan;
  Folder folder;
  Bus bus;
  std::string untouched, idle;
  std::optional<Daemon> daemon;
  std::optional<Client> client;
};

BOOST_AUTO_TEST_CASE(the_session_of_a_killed_agent_is_kept_for_the_next_one) {
  Onsite onsite;
  BOOST_TEST(onsite.none() == "org.rdv.Error.NotFound");
  end_process(onsite.start_agent(), SIGKILL);
  std::tuple<std::uint64_t, sdbus::UnixFd, std::string, Note> kept;
  BOOST_REQUIRE(until([&] { return onsite.none().empty(); }));
  kept = onsite.client->KeptSession();
  BOOST_TEST(std::get<0>(kept) == session);
  BOOST_TEST(std::get<2>(kept) == "rdv0");
  BOOST_TEST(std::get<3>(kept) == note);
  const auto& tun = std::get<1>(kept);
  BOOST_TEST(onsite.adopt(tun, {{"10.0.0.0/8", 0, 0, 0}}) == "org.rdv.Error.Busy");
  BOOST_TEST(onsite.adopt(tun) == "");
  BOOST_TEST(onsite.none() == "org.rdv.Error.NotFound");
  BOOST_TEST(onsite.adopt(tun) == "org.rdv.Error.Busy");
  BOOST_TEST(error_of([&] { onsite.client->LeaveNote(session, Note(65'537)); }) ==
             "org.rdv.Error.InvalidArgument");
  BOOST_TEST(error_of([&] { onsite.client->LeaveNote(session + 1, note); }) ==
             "org.rdv.Error.NotFound");
  onsite.client->CloseSession(session);
  BOOST_TEST(onsite.is_idle());
}

BOOST_AUTO_TEST_CASE(a_kept_session_gives_way_to_another_one) {
  Onsite onsite;
  end_process(onsite.start_agent(), SIGKILL);
  BOOST_REQUIRE(until([&] {
    return error_of([&] { onsite.client->OpenSession(8, onsite_setup(whole_lan)); }).empty();
  }));
  BOOST_TEST(onsite.has_link());
  onsite.client->CloseSession(8);
  BOOST_TEST(onsite.is_idle());
}

BOOST_AUTO_TEST_CASE(what_nobody_claims_is_gone_in_time) {
  Onsite kept, orphaned;
  const pid_t agent = kept.start_agent();
  const auto opened = orphaned.client->OpenSession(session, onsite_setup(whole_lan));
  orphaned.daemon->kill();
  orphaned.start();
  BOOST_TEST(orphaned.has_link());
  end_process(agent, SIGKILL);
  BOOST_REQUIRE(until([&] { return kept.none().empty(); }));
  BOOST_TEST(kept.has_link());
  BOOST_TEST(until([&] { return orphaned.is_idle(); }));
  BOOST_TEST(until([&] { return kept.is_idle(); }));
}

BOOST_AUTO_TEST_CASE(only_a_tunnel_that_netd_made_is_taken_over) {
  Onsite onsite;
  const auto opened = onsite.client->OpenSession(session, onsite_setup(whole_lan));
  const auto& tun = std::get<0>(opened);
  Onsite elsewhere;  // a tunnel of the same name in another network namespace
  const auto theirs = elsewhere.client->OpenSession(session, onsite_setup(whole_lan));
  const sdbus::UnixFd no_tun{::open("/dev/null", O_RDWR | O_CLOEXEC), sdbus::adopt_fd};
  const auto other_tunnel = [&] {
    auto setup = onsite_setup(whole_lan);
    setup["tunnel"] = sdbus::Variant{std::string{"192.168.201.4/30"}};
    onsite.client->AdoptSession(session, setup, tun);
  };

  onsite.daemon->kill();
  onsite.start();
  BOOST_TEST(onsite.adopt(no_tun) == "org.rdv.Error.Kernel");
  BOOST_TEST(onsite.adopt(std::get<0>(theirs)) == "org.rdv.Error.Kernel");
  BOOST_TEST(onsite.has_link());
  BOOST_TEST(error_of(other_tunnel) == "org.rdv.Error.Kernel");
  BOOST_TEST(!onsite.has_link());
  BOOST_TEST(onsite.daemon->stop() == 0);
  BOOST_TEST(onsite.host.is_again(onsite.untouched));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
