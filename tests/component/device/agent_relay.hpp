#pragma once
#include "io/asio.hpp"
#include "io/tls_socket.hpp"
#include "support/memory_tls.hpp"
#include "wire/frame.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

/// A relay on loopback that does what a test wants with the bytes it carries: cut them anywhere,
/// change, repeat, drop, reorder them, or join the legs of different sessions. It holds the
/// server's keys, as a hostile one would.
namespace agent_test {

namespace asio = tunnel::io::asio;
namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;
using asio::ip::tcp;
using tunnel::Bytes;
using tunnel::ByteView;
using tunnel::io::Task;

/// How the relay cuts what it writes.
enum class Cut { as_read, single_bytes, coalesced, random };

/// The raw inner records of one direction pass through this, whole; what it returns is sent in
/// their place.
using Meddler = std::function<std::vector<Bytes>(std::size_t leg, std::size_t index, Bytes record)>;
/// Likewise the payloads of `inner` frames, before Switch.
using HandshakeMeddler = std::function<void(std::size_t leg, std::size_t index, Bytes& payload)>;

class Relay {
 public:
  Relay(asio::io_context& io, const tunnel::test::World& world);
  ~Relay();

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  /// Takes the next leg; the first is 0.
  Task<> accept_leg();
  /// Takes them all, until the relay is gone.
  Task<> accept_legs();
  std::size_t legs() const { return legs_.size(); }

  Cut cut = Cut::as_read;
  Meddler meddle;
  HandshakeMeddler meddle_handshake;
  /// Leg -> where its bytes go; the default joins 0 with 1 and 2 with 3.
  std::function<std::size_t(std::size_t leg)> handshake_goes_to = [](std::size_t leg) {
    return leg ^ 1U;
  };
  std::function<std::size_t(std::size_t leg)> raw_goes_to = [](std::size_t leg) {
    return leg ^ 1U;
  };
  /// While true nothing raw is passed on: a relay that hangs.
  bool frozen = false;
  /// Sent behind Switch as one more record of the outer TLS, if set.
  bool speaks_behind_switch = false;

  /// Cuts a leg off without a word.
  void break_leg(std::size_t leg);
  std::size_t raw_records(std::size_t leg) const;
  /// What a wire-tap between relay and device saw, both ways, from the first byte.
  const std::string& seen(std::size_t leg) const;

 private:
  struct Leg;
  Task<> read(Leg& leg);
  void take(Leg& leg, ByteView bytes);
  void take_outer(Leg& leg);
  void take_raw(Leg& leg, ByteView bytes);
  void deliver(Leg& from);
  void write(Leg& leg, ByteView bytes);
  void collect(Leg& leg);
  Task<> flush(Leg& leg);

  asio::io_context& io_;
  crypto::TlsContext context_;
  tcp::acceptor acceptor_;
  std::vector<std::unique_ptr<Leg>> legs_;
  std::mt19937 random_{1};
};

}  // namespace agent_test
