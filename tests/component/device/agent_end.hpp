#pragma once
#include "base/unique_fd.hpp"
#include "component/device/agent_relay.hpp"
#include "component/device/no_sigpipe.hpp"
#include "io/packet_pump.hpp"
#include "support/patience.hpp"
#include "wire/grant.hpp"

#include <optional>
#include <string>
#include <vector>

namespace agent_test {

using tunnel::Ipv4Address;
using tunnel::io::DataLeg;
using tunnel::io::LegEnd;
using tunnel::io::PacketPump;
using wire::CloseCode;
using wire::Role;

inline constexpr char master_address[] = "192.168.200.6";
inline constexpr char onsite_address[] = "192.168.200.5";

/// An IPv4/UDP packet with its virtio_net_hdr, as a TUN gives and takes it.
Bytes packet(std::string_view from, std::string_view to, std::string_view text);
Bytes from_master(std::string_view text);  ///< such a packet to the camera
Bytes from_camera(std::string_view text);  ///< and its answer
/// The text of such a packet.
std::string text_of(ByteView packet);

/// One device's end of a session, from the dial to the end of the pump, with a socket in place of
/// the TUN.
class End {
 public:
  struct Setup {
    wire::Grant grant;
    Bytes grant_bytes;
    /// Who the other end must be.
    const tunnel::test::World::Device* peer;
    tunnel::core::SessionWatch::Times times{};
    std::uint64_t key_update_records = wire::key_update_records;
  };

  End(asio::io_context& io, const tunnel::test::World& world,
      const tunnel::test::World::Device& self, Setup setup);

  /// Instead of the socket: a real TUN, whose kernel then is the other side. Before run().
  void use_tun(tunnel::UniqueFd tun) { tun_ = std::move(tun); }
  /// Until the session ends, or its leg is lost. Then again, over a new leg of the next epoch.
  Task<> run(tcp::endpoint relay);
  /// The kernel's side of the fake TUN: answers echo requests, keeps everything else.
  Task<> run_kernel();
  /// Gives the pump a packet as the kernel would. @return false when its TUN is full
  bool give(ByteView packet);

  bool is_over() const { return end.has_value(); }
  PacketPump& pump() { return *pump_; }
  bool has_pump() const { return pump_.has_value(); }

  std::optional<LegEnd> end;
  bool established = false;
  std::uint32_t offloads = 0;  ///< that its TUN was set to
  std::vector<Bytes> received;
  bool answers_echo = true;
  bool keeps_tun = false;                        ///< after run(), for the next
  std::vector<Bytes> kept;                       ///< for the new leg
  tunnel::core::SessionWatch::Times times;       ///< of the next leg
  std::optional<tunnel::Clock::duration> lasts;  ///< the session, from the next leg on

  int tun() const { return tun_.get(); }

 private:
  const tunnel::test::World& world_;
  const tunnel::test::World::Device& self_;
  Setup setup_;
  crypto::TlsContext outer_, inner_;
  asio::posix::stream_descriptor kernel_;
  tunnel::UniqueFd tun_;
  std::optional<DataLeg> leg_;
  std::optional<PacketPump> pump_;
};

/// A relay, a master and an onsite that were granted a session.
struct Session {
  explicit Session(tunnel::core::SessionWatch::Times times = {});

  /// Starts both ends and runs until `done`, at most so much running time. @return done()
  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = tunnel::test::patience);
  bool run_until_established() {
    return run_until([this] { return master.established && onsite.established; });
  }
  bool run_until_over() {
    return run_until([this] { return master.is_over() && onsite.is_over(); });
  }
  void start();

  asio::io_context io{1};
  tunnel::test::World world;
  End::Setup plan;
  Relay relay;
  End master, onsite;
  bool started = false;
};

/// The grant of a session between two devices.
wire::Grant grant_for(const tunnel::test::World& world, const tunnel::test::World::Device& master,
                      const tunnel::test::World::Device& onsite, std::uint64_t session = 77);

}  // namespace agent_test
