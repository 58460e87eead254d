#include "component/device/agent_runner.hpp"

#include <boost/test/unit_test.hpp>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <unistd.h>

namespace agent_test {

using namespace std::chrono_literals;
using tunnel::Clock;
using tunnel::io::use_tuple;

namespace {

constexpr char netd_interface[] = "org.rdv.Netd1";
constexpr std::size_t ip_at = wire::vnet_header_bytes;

device::Identity identity_of(const tunnel::test::World& world,
                             const tunnel::test::World::Device& self) {
  return {.self = self.identity,
          .server = "",
          .key = crypto::Key::private_from_pem(self.key.private_pem()),
          .certificate = crypto::Certificate::from_pem(self.certificate.pem()),
          .ca = crypto::Certificate::from_pem(world.ca().pem()),
          .grant_key = crypto::Key::generate()};
}

bool is_echo_request(ByteView packet) {
  return packet.size() > ip_at + 28 && packet[ip_at + 9] == std::byte{1} &&
         packet[ip_at + 20] == std::byte{8};
}

}  // namespace

FakeNetd::FakeNetd()
    : connection_{sdbus::createSystemBusConnection()},
      object_{sdbus::createObject(*connection_, "/org/rdv/Netd1")} {
  using Facts = std::map<std::string, sdbus::Variant>;
  object_->registerMethod("OpenSession")
      .onInterface(netd_interface)
      .implementedAs([this](const std::uint64_t&, const Facts& setup) {
        std::array<int, 2> fds{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) !=
            0)
          throw sdbus::Error{"org.rdv.Error.Kernel", "no socketpair"};
        const std::lock_guard lock{mutex_};
        ++opened_;
        kernels_[setup.at("role").get<std::string>()] = tunnel::UniqueFd{fds[0]};
        return std::tuple{sdbus::UnixFd{fds[1], sdbus::adopt_fd}, std::string{"rdv0"}};
      });
  object_->registerMethod("CloseSession")
      .onInterface(netd_interface)
      .implementedAs([this](const std::uint64_t&) {
        const std::lock_guard lock{mutex_};
        ++closed_;
      });
  object_->finishRegistration();
  connection_->requestName(netd_interface);
  connection_->enterEventLoopAsync();
}

FakeNetd::~FakeNetd() {
  connection_->leaveEventLoop();
}

tunnel::UniqueFd FakeNetd::take_kernel(const std::string& role) {
  const std::lock_guard lock{mutex_};
  return std::move(kernels_[role]);
}

int FakeNetd::opened() {
  const std::lock_guard lock{mutex_};
  return opened_;
}

int FakeNetd::closed() {
  const std::lock_guard lock{mutex_};
  return closed_;
}

RunnerEnd::RunnerEnd(asio::io_context& io, const tunnel::test::World& world,
                     const tunnel::test::World::Device& self, device::NetdClient& netd,
                     FakeNetd& daemon, tcp::endpoint relay)
    : server{relay},
      io_{io},
      identity_{identity_of(world, self)},
      netd_{netd},
      daemon_{daemon},
      kernel_{io} {}

device::SessionRunner::LegPlan RunnerEnd::leg_plan(const wire::Grant& grant) {
  return {.start = {.id = 1,
                    .grant = grant,
                    .grant_bytes = wire::encode_grant(grant),
                    .peer = {},
                    .ends = ends},
          .way = {.server = {}, .hop = server, .proxy = nullptr}};
}

void RunnerEnd::start(const wire::Grant& grant, Clock::time_point limit) {
  ends = limit;
  begin({.first = leg_plan(grant), .role = identity_.self.role, .interface = ""});
  asio::co_spawn(io_, serve_kernel(), asio::detached);
}

void RunnerEnd::take_over(tunnel::UniqueFd tun, const wire::Grant& noted) {
  BOOST_REQUIRE(end);
  end.reset();
  running.clear();
  auto start = leg_plan(noted).start;
  begin({.first = {.start = std::move(start)},
         .role = identity_.self.role,
         .interface = "",
         .kept = device::SessionTun{std::move(tun), "rdv0"}});
}

void RunnerEnd::begin(device::SessionRunner::Plan plan) {
  device::SessionRunner::Events events{
      .running = [this](const tunnel::core::StartSession& start,
                        Clock::duration) { running.push_back(start.grant.epoch); },
      .lost = [this](std::uint32_t epoch, LegEnd) { return report(epoch); }};
  runner_.emplace(identity_, netd_, std::move(plan), std::move(events), io_.get_executor());
  asio::co_spawn(io_, run(), asio::detached);
}

Task<> RunnerEnd::report(std::uint32_t epoch) {
  lost.push_back(epoch);
  runner_->interrupt();
  on_lost();
  co_return;
}

Task<> RunnerEnd::run() {
  auto why = co_await runner_->run();
  co_await runner_->clean_up();
  end = std::move(why);
}

/// Answers echo requests, keeps everything else.
Task<> RunnerEnd::serve_kernel() {
  while (!kernel_.is_open() && !end) {
    if (auto fd = daemon_.take_kernel(std::string{to_string(identity_.self.role)}); fd)
      kernel_.assign(fd.release());
    else
      co_await device::sleep_for(2ms);
  }
  Bytes buffer(70'000);
  while (kernel_.is_open()) {
    const auto [ec] =
        co_await kernel_.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
    if (ec) co_return;
    const auto got = ::read(kernel_.native_handle(), buffer.data(), buffer.size());
    if (got == 0) break;
    if (got < 0) continue;
    Bytes packet{buffer.begin(), buffer.begin() + got};
    if (!is_echo_request(packet)) {
      received.push_back(std::move(packet));
      continue;
    }
    const auto ip = std::span{packet}.subspan(ip_at);
    std::swap_ranges(ip.begin() + 12, ip.begin() + 16, ip.begin() + 16);
    ip[20] = std::byte{0};
    give(packet);
  }
  tun_closed_ = true;
}

bool RunnerEnd::give(ByteView packet) {
  return ::write(kernel_.native_handle(), packet.data(), packet.size()) ==
         static_cast<ssize_t>(packet.size());
}

bool RunnerEnd::has_read_all() {
  int unread = -1;
  return ::ioctl(kernel_.native_handle(), SIOCOUTQ, &unread) == 0 && unread == 0;
}

RunnerPair::RunnerPair()
    : client{bus,
             {.presence = [](bool) {},
              .port_added = [](const std::string&, const std::string&) {},
              .port_removed = [](const std::string&, const std::string&) {},
              .uplink_changed = [] {}}},
      relay{io, world},
      grant{grant_for(world, world.master, world.onsite)},
      master{io, world, world.master, client, netd, relay.endpoint()},
      onsite{io, world, world.onsite, client, netd, relay.endpoint()} {
  run_until([this] { return client.is_present(); });
  master.start(grant, Clock::now() + 1h);
  onsite.start(grant, Clock::now() + 1h);
  asio::co_spawn(io, relay.accept_legs(), asio::detached);
}

RunnerPair::~RunnerPair() {
  for (auto* end : {&master, &onsite})
    if (!end->end) end->runner().abort(CloseCode::shutdown, "");
  run_until_over();
}

void RunnerPair::grant_next() {
  ++grant.epoch;
  master.resume(grant);
  onsite.resume(grant);
}

bool RunnerPair::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  for (tunnel::test::RunningTime time; !done() && time.turn() < limit;)
    io.run_one_for(20ms);
  return done();
}

bool RunnerPair::run_until_established() {
  const auto is_up = [this](const RunnerEnd& end) {
    return !end.running.empty() && end.running.back() == grant.epoch;
  };
  return run_until([&] { return is_up(master) && is_up(onsite); });
}

bool RunnerPair::run_until_over() {
  return run_until([this] { return master.end && onsite.end; });
}

}  // namespace agent_test
