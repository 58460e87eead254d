#include "support/tls_peer.hpp"

#include "wire/enrolment_code.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <poll.h>

namespace support {
namespace {

crypto::SslHandle over_memory(const crypto::TlsContext& context) {
  auto ssl = context.new_ssl();
  ::SSL_set_bio(ssl.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  return ssl;
}

Bytes drain(BIO* bio) {
  Bytes bytes(::BIO_ctrl_pending(bio));
  if (!bytes.empty()) ::BIO_read(bio, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

void fill(BIO* bio, ByteView bytes) {
  if (!bytes.empty()) ::BIO_write(bio, bytes.data(), static_cast<int>(bytes.size()));
}

wire::Identity peer_of(const Device& device, const wire::Grant& grant) {
  const bool onsite = device.identity.role == wire::Role::onsite;
  return {grant.system, onsite ? wire::Role::master : wire::Role::onsite,
          onsite ? grant.master.name : grant.onsite.name};
}

const wire::Hash& peer_key(const Device& device, const wire::Grant& grant) {
  return device.identity.role == wire::Role::onsite ? grant.master.key_hash : grant.onsite.key_hash;
}

constexpr std::string_view word = "confirmed";

}  // namespace

Tcp::Tcp(std::uint16_t port, const char* from)
    : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (from != nullptr) {
    ::inet_pton(AF_INET, from, &address.sin_addr);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw PeerError{"cannot bind"};
  }
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw PeerError{"cannot connect"};
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit{tunnel::test::patience.count(), 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

void Tcp::send(ByteView bytes, Cut cut) {
  std::uniform_int_distribution<std::size_t> length{1, 3000};
  while (!bytes.empty()) {
    const auto next = cut == Cut::single_bytes ? 1
                      : cut == Cut::random     ? std::min(length(random_), bytes.size())
                                               : bytes.size();
    const auto sent = ::send(fd_.get(), bytes.data(), next, MSG_NOSIGNAL);
    if (sent <= 0) throw PeerError{"cannot send: the connection is closed"};
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

Bytes Tcp::receive() {
  Bytes bytes(64 * 1024);
  ssize_t got = 0;
  do  // interrupted: it was stopped meanwhile (signal(7), "Interruption ... by stop signals")
    got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) throw PeerError{"nothing came in time"};
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

bool Tcp::is_closed_within(std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds turn{20};
  std::array<std::byte, 4096> dropped;
  for (tunnel::test::RunningTime time;;) {
    pollfd wait{fd_.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min(limit, turn).count()));
    if (ready > 0 && ::recv(fd_.get(), dropped.data(), dropped.size(), 0) <= 0) return true;
    if (time.turn() >= limit && ready <= 0) return false;
  }
}

void Tcp::reset_on_close() {
  const linger at_once{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void Tcp::end_stream() {
  ::shutdown(fd_.get(), SHUT_WR);
}

TlsPeer::TlsPeer(std::uint16_t port, const crypto::TlsContext& context, Cut cut, const char* from)
    : tcp_{port, from}, ssl_{over_memory(context)}, cut_{cut} {}

void TlsPeer::collect() {
  const auto records = drain(::SSL_get_wbio(ssl_.get()));
  out_.insert(out_.end(), records.begin(), records.end());
}

void TlsPeer::flush() {
  collect();
  Bytes bytes;
  bytes.swap(out_);
  tcp_.send(bytes, cut_);
}

/// @return false at the end of the stream
bool TlsPeer::feed() {
  flush();
  const auto bytes = tcp_.receive();
  fill(::SSL_get_rbio(ssl_.get()), bytes);
  return !bytes.empty();
}

void TlsPeer::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(ssl_.get());
    if (result == 1) return flush();
    if (::SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ)
      throw PeerError{crypto::tls_failure(ssl_.get())};
    if (!feed()) throw PeerError{"the connection was closed during the handshake"};
  }
}

void TlsPeer::write(ByteView plain) {
  while (!plain.empty()) {
    std::size_t written = 0;
    ::ERR_clear_error();
    if (::SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1)
      throw PeerError{"cannot encrypt"};
    plain = plain.subspan(written);
    collect();
  }
  if (cut_ != Cut::coalesced) flush();
}

Bytes TlsPeer::read() {
  Bytes plain(16 * 1024);
  for (;;) {
    std::size_t got = 0;
    ::ERR_clear_error();
    const int result = ::SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &got);
    if (result == 1) {
      plain.resize(got);
      return plain;
    }
    const int error = ::SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN) return {};
    if (error != SSL_ERROR_WANT_READ) throw PeerError{crypto::tls_failure(ssl_.get())};
    if (!feed()) return {};
  }
}

void TlsPeer::write_raw(ByteView bytes) {
  collect();
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  if (cut_ != Cut::coalesced) flush();
}

Bytes TlsPeer::read_raw() {
  auto bytes = drain(::SSL_get_rbio(ssl_.get()));
  if (!bytes.empty()) return bytes;
  flush();
  return tcp_.receive();
}

FramePeer::FramePeer(std::uint16_t port, const crypto::TlsContext& context, wire::Channel channel,
                     Cut cut)
    : tls_{port, context, cut}, reader_{channel} {
  tls_.handshake();
}

std::optional<Frame> FramePeer::receive() {
  for (;;) {
    const auto frame = reader_.next();
    if (!frame) throw PeerError{"the server sent what is not a frame"};
    if (*frame) return Frame{(*frame)->type, {(*frame)->payload.begin(), (*frame)->payload.end()}};
    const auto bytes = tls_.read();
    if (bytes.empty()) return std::nullopt;
    reader_.feed(bytes);
  }
}

ControlPeer::ControlPeer(std::uint16_t port, const Device& device, Cut cut,
                         std::vector<std::uint64_t> held)
    : FramePeer{port,
                crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_control),
                wire::Channel::control, cut} {
  send(wire::Hello{.info = {.software = "test",
                            .hostname = device.identity.name.str(),
                            .lan = tunnel::Ipv4Prefix::parse("192.168.1.10/24")},
                   .sessions = std::move(held)});
  tls().flush();
  (void)expect<wire::Welcome>();
}

Device enrol(std::uint16_t port, const std::string& text) {
  const auto code = wire::EnrolmentCode::parse(text);
  if (!code) throw PeerError{"not an enrolment code"};
  auto key = crypto::Key::generate();
  FramePeer peer{port, crypto::TlsContext::enrolling(code->ca_fingerprint), wire::Channel::enroll};
  peer.send(wire::encode(wire::EnrollMessage{wire::Enroll{.secret = code->secret,
                                                          .csr = crypto::make_csr(key),
                                                          .hostname = "test",
                                                          .software = "test"}}));
  const auto frame = peer.receive();
  if (!frame) throw PeerError{"the server closed the connection instead of enrolling"};
  const auto answer = wire::decode_enroll(frame->type, frame->payload);
  if (!answer) throw PeerError{"not an answer"};
  if (const auto* refused = std::get_if<wire::EnrollRefused>(&*answer))
    throw PeerError{refused->text};
  const auto& enrolled = std::get<wire::Enrolled>(*answer);
  return {{enrolled.system, enrolled.role, enrolled.name},
          std::move(key),
          crypto::Certificate::from_pem(tunnel::as_text(enrolled.certificate)),
          crypto::Certificate::from_pem(tunnel::as_text(enrolled.ca))};
}

LegPeer::LegPeer(std::uint16_t port, const Device& device, const wire::Grant& grant, Cut cut)
    : device_{device},
      outer_{port, crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_data),
             wire::Channel::data, cut},
      inner_context_{crypto::TlsContext::end_to_end(
          device.credentials(), device.ca, peer_of(device, grant), peer_key(device, grant))},
      inner_{over_memory(inner_context_)} {
  outer_.send(wire::encode(wire::Attach{.session = grant.session, .epoch = grant.epoch}));
}

LegPeer::~LegPeer() = default;

/// What the inner TLS has for its peer goes the way that is open now.
void LegPeer::push_out() {
  const auto bytes = drain(::SSL_get_wbio(inner_.get()));
  if (bytes.empty()) return;
  if (raw_out_) return outer_.tls().write_raw(bytes);
  for (ByteView rest = bytes; !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), wire::inner_payload_bytes_max));
    outer_.send(wire::encode_frame(wire::FrameType::inner, part));
    rest = rest.subspan(part.size());
  }
}

void LegPeer::pull_in() {
  push_out();
  if (!raw_in_) {
    const auto frame = outer_.receive();
    if (!frame) {
      ended_ = true;
      return;
    }
    if (frame->type == wire::FrameType::inner)
      return fill(::SSL_get_rbio(inner_.get()), frame->payload);
    if (frame->type != wire::FrameType::switch_) throw PeerError{"the server detached the leg"};
    if (outer_.buffered_bytes() > 0 || ::SSL_pending(outer_.tls().ssl()) > 0)
      throw PeerError{"bytes behind Switch"};
    raw_in_ = true;
    return;
  }
  const auto bytes = outer_.tls().read_raw();
  ended_ = bytes.empty();
  fill(::SSL_get_rbio(inner_.get()), bytes);
}

void LegPeer::join() {
  for (;;) {
    ::ERR_clear_error();
    const int result = ::SSL_do_handshake(inner_.get());
    if (result == 1) break;
    if (::SSL_get_error(inner_.get(), result) != SSL_ERROR_WANT_READ)
      throw PeerError{crypto::tls_failure(inner_.get())};
    pull_in();
    if (ended_) throw PeerError{"the leg was closed during the inner handshake"};
  }
  push_out();
  send(tunnel::as_bytes(word));
  outer_.send(wire::encode_frame(wire::FrameType::switch_, {}));
  raw_out_ = true;
  if (tunnel::as_text(receive(word.size())) != word) throw PeerError{"not the peer's word"};
}

void LegPeer::send(ByteView plain) {
  while (!plain.empty()) {
    std::size_t written = 0;
    ::ERR_clear_error();
    if (::SSL_write_ex(inner_.get(), plain.data(), plain.size(), &written) != 1)
      throw PeerError{"cannot encrypt"};
    plain = plain.subspan(written);
    push_out();
  }
}

Bytes LegPeer::receive(std::size_t bytes) {
  Bytes plain(bytes);
  std::size_t done = 0;
  while (done < bytes) {
    std::size_t got = 0;
    ::ERR_clear_error();
    const int result = ::SSL_read_ex(inner_.get(), plain.data() + done, bytes - done, &got);
    if (result == 1) {
      done += got;
      continue;
    }
    if (::SSL_get_error(inner_.get(), result) != SSL_ERROR_WANT_READ)
      throw PeerError{crypto::tls_failure(inner_.get())};
    if (ended_) throw PeerError{"the leg was closed"};
    pull_in();
  }
  return plain;
}

bool LegPeer::is_ended() {
  while (!ended_) {
    pull_in();
    std::byte one;
    std::size_t got = 0;
    if (::SSL_read_ex(inner_.get(), &one, 1, &got) == 1) return false;
  }
  return true;
}

Granted open_session(ControlPeer& master, ControlPeer& onsite, const wire::Name& onsite_name) {
  static std::atomic<std::uint32_t> request = 0;
  master.send(
      wire::Open{.request = ++request, .onsite = onsite_name, .nonce = crypto::random_nonce()});
  master.tls().flush();
  const auto offer = onsite.expect<wire::Offer>();
  onsite.send(wire::Accept{.session = offer.session, .nonce = crypto::random_nonce()});
  onsite.tls().flush();
  const auto granted = master.expect<wire::Granted>();
  (void)onsite.expect<wire::Granted>();
  auto grant = wire::decode_grant(granted.grant);
  if (!grant) throw PeerError{"not a grant"};
  return {std::move(*grant)};
}

}  // namespace support
