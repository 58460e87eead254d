#include "component/device/agent_end.hpp"

#include "base/endian.hpp"
#include "crypto/hash.hpp"
#include "io/tun_offloads.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <fcntl.h>

namespace agent_test {

using namespace std::chrono_literals;
using tunnel::Clock;
using tunnel::io::use_tuple;

namespace {

constexpr std::size_t ip_at = wire::vnet_header_bytes;
constexpr std::size_t headers_bytes = 20 + 8;

void set_address(std::span<std::byte> out, std::string_view text) {
  tunnel::store_big_endian<std::uint32_t>(out, Ipv4Address::parse(text)->value);
}

/// The two ends of a packet device: whole packets only, as with a TUN.
std::pair<int, int> packet_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0)
    throw std::runtime_error{"socketpair"};
  const int bytes = 4 << 20;
  for (const int fd : fds)
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
  return {fds[0], fds[1]};
}

bool is_echo_request(ByteView packet) {
  return packet.size() > ip_at + 28 && packet[ip_at + 9] == std::byte{1} &&
         packet[ip_at + 20] == std::byte{8};
}

}  // namespace

Bytes packet(std::string_view from, std::string_view to, std::string_view text) {
  Bytes bytes(ip_at + headers_bytes + text.size());
  const auto ip = std::span{bytes}.subspan(ip_at);
  ip[0] = std::byte{0x45};
  tunnel::store_big_endian<std::uint16_t>(ip.subspan(2), static_cast<std::uint16_t>(ip.size()));
  ip[8] = std::byte{64};
  ip[9] = std::byte{17};
  set_address(ip.subspan(12), from);
  set_address(ip.subspan(16), to);
  std::copy_n(tunnel::as_bytes(text).begin(), text.size(), ip.begin() + headers_bytes);
  return bytes;
}

Bytes from_master(std::string_view text) {
  return packet(master_address, "192.168.1.50", text);
}
Bytes from_camera(std::string_view text) {
  return packet("192.168.1.50", master_address, text);
}

std::string text_of(ByteView packet) {
  return std::string{tunnel::as_text(packet.subspan(ip_at + headers_bytes))};
}

End::End(asio::io_context& io, const tunnel::test::World& world,
         const tunnel::test::World::Device& self, Setup setup)
    : times{setup.times},
      world_{world},
      self_{self},
      setup_{std::move(setup)},
      outer_{crypto::TlsContext::device(self.credentials(), world.ca(), wire::alpn_data)},
      inner_{crypto::TlsContext::end_to_end(self.credentials(), world.ca(), setup_.peer->identity,
                                            setup_.peer->key.hash())},
      kernel_{io} {
  const auto [ours, pumps] = packet_pair();
  kernel_.assign(ours);
  tun_.reset(pumps);
}

Task<> End::run(tcp::endpoint relay) {
  tcp::socket socket{kernel_.get_executor()};
  const auto [ec] = co_await socket.async_connect(relay, use_tuple);
  if (ec) throw std::runtime_error{"no relay"};
  pump_.reset();
  if (end) ++setup_.grant.epoch;
  end.reset();
  established = false;
  const auto role = self_.identity.role;
  const wire::Confirm confirm{.grant_hash = crypto::sha256(setup_.grant_bytes),
                              .role = role,
                              .offloads = tunnel::io::tun_offloads_taken()};
  leg_.emplace(std::move(socket), outer_, inner_,
               DataLeg::Plan{.attach = {setup_.grant.session, setup_.grant.epoch},
                             .confirm = confirm,
                             .peer_role = setup_.peer->identity.role});
  end = co_await leg_->establish();
  if (end) co_return;
  offloads = tunnel::io::set_tun_offloads(tun_.get(), leg_->peer().offloads);
  times.probes = role == Role::master;
  times.ends = Clock::now() + lasts.value_or(1h);
  pump_.emplace(*leg_, tun_.get(),
                PacketPump::Options{.session = setup_.grant.session,
                                    .role = role,
                                    .onsite_address = *Ipv4Address::parse(onsite_address),
                                    .master_address = *Ipv4Address::parse(master_address),
                                    .times = times,
                                    .echo_token = 4711,
                                    .resumes = setup_.grant.epoch > 1,
                                    .kept = std::move(kept),
                                    .sender = {.peer_offloads = offloads,
                                               .key_update_records = setup_.key_update_records}},
                [this](Clock::duration) { established = true; });
  end = co_await pump_->run();
  if (!keeps_tun) tun_.reset();
  leg_->close();
}

Task<> End::run_kernel() {
  Bytes buffer(70'000);
  for (;;) {
    const auto [ec] =
        co_await kernel_.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
    if (ec) co_return;
    const auto got = ::read(kernel_.native_handle(), buffer.data(), buffer.size());
    if (got == 0) co_return;
    if (got < 0) continue;
    Bytes packet{buffer.begin(), buffer.begin() + got};
    if (!is_echo_request(packet)) {
      received.push_back(std::move(packet));
    } else if (answers_echo) {
      const auto ip = std::span{packet}.subspan(ip_at);
      std::swap_ranges(ip.begin() + 12, ip.begin() + 16, ip.begin() + 16);
      ip[20] = std::byte{0};
      give(packet);
    }
  }
}

bool End::give(ByteView packet) {
  return ::write(kernel_.native_handle(), packet.data(), packet.size()) ==
         static_cast<ssize_t>(packet.size());
}

wire::Grant grant_for(const tunnel::test::World&, const tunnel::test::World::Device& master,
                      const tunnel::test::World::Device& onsite, std::uint64_t session) {
  return {.session = session,
          .master = {master.identity.name, master.key.hash()},
          .onsite = {onsite.identity.name, onsite.key.hash()},
          .system = master.identity.system,
          .seconds = 3600,
          .server_time = 1'770'000'000,  // one for both ends: they compare the grant's bytes
          .tunnel = *tunnel::Ipv4Prefix::parse("192.168.200.4/30")};
}

namespace {

End::Setup setup_for(const tunnel::test::World& world, const tunnel::test::World::Device& peer,
                     tunnel::core::SessionWatch::Times times) {
  auto grant = grant_for(world, world.master, world.onsite);
  auto bytes = wire::encode_grant(grant);
  return {
      .grant = std::move(grant), .grant_bytes = std::move(bytes), .peer = &peer, .times = times};
}

}  // namespace

Session::Session(tunnel::core::SessionWatch::Times times)
    : plan{setup_for(world, world.onsite, times)},
      relay{io, world},
      master{io, world, world.master, plan},
      onsite{io, world, world.onsite, setup_for(world, world.master, times)} {}

void Session::start() {
  started = true;
  // The master is leg 0: it dials when the relay listens, the onsite when the master is in.
  asio::co_spawn(io, relay.accept_leg(), asio::detached);
  asio::co_spawn(io, master.run(relay.endpoint()), asio::detached);
  while (io.run_one_for(1s) != 0)
    if (io.stopped() || !master.is_over()) break;
  asio::co_spawn(io, relay.accept_leg(), asio::detached);
  asio::co_spawn(io, onsite.run(relay.endpoint()), asio::detached);
  asio::co_spawn(io, master.run_kernel(), asio::detached);
  asio::co_spawn(io, onsite.run_kernel(), asio::detached);
}

bool Session::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  if (!started) start();
  for (tunnel::test::RunningTime time; !done() && time.turn() < limit;)
    io.run_one_for(20ms);
  return done();
}

}  // namespace agent_test
