#pragma once
#include "base/bytes.hpp"
#include "base/unique_fd.hpp"
#include "crypto/certificate.hpp"
#include "crypto/tls_context.hpp"
#include "support/patience.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

/// A scripted device for tests of the server: blocking, one thread for each, and able to cut what
/// it sends into any segments. Everything throws PeerError when the other end does not do what the
/// script expects.
namespace support {

namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;
using tunnel::Bytes;
using tunnel::ByteView;

class PeerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How bytes on their way out are cut into sends.
enum class Cut {
  as_written,  ///< every record by itself
  coalesced,   ///< as much as possible in one send: only before waiting for an answer
  single_bytes,
  random,
};

/// Who a peer is.
struct Device {
  wire::Identity identity;
  crypto::Key key;
  crypto::Certificate certificate;
  crypto::Certificate ca;
  crypto::Credentials credentials() const { return {key, certificate}; }
};

/// A blocking TCP connection to a port of this machine. No wait is longer than test::patience.
class Tcp {
 public:
  explicit Tcp(std::uint16_t port, const char* from = nullptr);
  Tcp(Tcp&&) = default;

  void send(ByteView bytes, Cut cut = Cut::as_written);
  /// At least one byte; nothing at the end of the stream, in order or not. @throws PeerError when
  /// it does not come
  Bytes receive();
  /// True when the other end closes within so much running time; what it sends until then is
  /// dropped.
  bool is_closed_within(std::chrono::milliseconds limit);
  /// Makes the next close a reset.
  void reset_on_close();
  void end_stream();
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

 private:
  tunnel::UniqueFd fd_;
  std::mt19937 random_{42};
};

/// A TLS connection over Tcp whose bytes on the wire are ours to cut.
class TlsPeer {
 public:
  TlsPeer(std::uint16_t port, const crypto::TlsContext& context, Cut cut = Cut::as_written,
          const char* from = nullptr);

  void handshake();
  /// Queues records with these bytes; they leave with flush() or before the next wait, with
  /// Cut::as_written at once.
  void write(ByteView plain);
  void flush();
  /// Decrypted bytes; empty at the end of the stream.
  Bytes read();
  /// Bytes that go out behind the records queued, not encrypted here.
  void write_raw(ByteView bytes);
  /// What came behind the last record that was read, or comes next; empty at the end of the stream.
  Bytes read_raw();

  SSL* ssl() const { return ssl_.get(); }
  Tcp& tcp() { return tcp_; }

 private:
  void collect();
  bool feed();

  Tcp tcp_;
  crypto::SslHandle ssl_;
  Cut cut_;
  Bytes out_;
};

/// A frame as it came.
struct Frame {
  wire::FrameType type;
  Bytes payload;
};

/// TLS and frames: a control, enrolment or data connection up to its Switch.
class FramePeer {
 public:
  FramePeer(std::uint16_t port, const crypto::TlsContext& context, wire::Channel channel,
            Cut cut = Cut::as_written);
  void send(ByteView frame) { tls_.write(frame); }
  void send(const wire::ControlMessage& message) { send(ByteView{wire::encode(message)}); }
  /// Nothing at the end of the stream.
  std::optional<Frame> receive();
  /// The next control message of this type; others are skipped. @throws PeerError at the end of the
  /// stream
  template <class Message>
  Message expect() {
    for (;;) {
      const auto frame = receive();
      if (!frame) throw PeerError{"the server closed the control connection"};
      auto message = wire::decode_control(frame->type, frame->payload);
      if (!message) throw PeerError{"not a control message: " + message.error().message()};
      if (auto* wanted = std::get_if<Message>(&*message)) return std::move(*wanted);
    }
  }
  TlsPeer& tls() { return tls_; }
  std::size_t buffered_bytes() const { return reader_.buffered_bytes(); }

 private:
  TlsPeer tls_;
  wire::FrameReader reader_;
};

/// A control connection that has said Hello and was welcomed.
class ControlPeer : public FramePeer {
 public:
  /// @param held  the sessions that it says it still has
  ControlPeer(std::uint16_t port, const Device& device, Cut cut = Cut::as_written,
              std::vector<std::uint64_t> held = {});
};

/// Redeems an enrolment code. @throws PeerError with the server's sentence when it refuses
Device enrol(std::uint16_t port, const std::string& code);

/// One device's end of a session: data leg, inner TLS, hand-off, raw bytes (DESIGN 4).
class LegPeer {
 public:
  LegPeer(std::uint16_t port, const Device& device, const wire::Grant& grant, Cut cut);
  ~LegPeer();
  LegPeer(LegPeer&&) = delete;

  /// The inner handshake; a word of ours and Switch leave behind it, the peer's word is taken.
  void join();
  void send(ByteView plain);
  /// Exactly so many bytes of the inner session.
  Bytes receive(std::size_t bytes);
  /// The end of the stream came; anything else is an error.
  bool is_ended();
  FramePeer& outer() { return outer_; }

 private:
  void push_out();
  void pull_in();
  bool is_onsite() const { return device_.identity.role == wire::Role::onsite; }

  const Device& device_;
  FramePeer outer_;
  crypto::TlsContext inner_context_;
  crypto::SslHandle inner_;
  bool raw_out_ = false, raw_in_ = false;
  bool ended_ = false;
};

/// Both ends of a granted session, seen from their control connections.
struct Granted {
  wire::Grant grant;
};
/// The master opens, the onsite accepts, both get the grant.
Granted open_session(ControlPeer& master, ControlPeer& onsite, const wire::Name& onsite_name);

}  // namespace support
