#include "net/half_open.hpp"

#include "wire/limits.hpp"

#include <sys/socket.h>

namespace rdv {

using tunnel::Clock;
namespace wire = tunnel::wire;

namespace {

/// Whoever has an IPv6 address has its whole /64 (RFC 6177).
asio::ip::address_v6 who(const asio::ip::address& from) {
  if (from.is_v4()) return asio::ip::make_address_v6(asio::ip::v4_mapped, from.to_v4());
  auto bytes = from.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return asio::ip::address_v6{bytes};
}

}  // namespace

HalfOpens::HalfOpens(const asio::any_io_executor& executor, Deadlines& deadlines,
                     std::size_t total_max, std::size_t per_address_max)
    : deadlines_{deadlines},
      total_max_{total_max},
      per_address_max_{per_address_max},
      room_{executor} {}

bool HalfOpens::takes(const asio::ip::address& from) const {
  const auto found = per_address_.find(who(from));
  return found == per_address_.end() || found->second < per_address_max_;
}

Task<> HalfOpens::wait_for_room() {
  Deadline pressure{deadlines_, [this] { room_.notify(); }};
  while (oldest_first_.size() >= total_max_ && !stopping_) {
    auto& oldest = *oldest_first_.front();
    const auto patience_ends = oldest.accepted_ + patience_under_pressure;
    if (Clock::now() >= patience_ends && !oldest.was_cut())
      oldest.cut();
    else
      pressure.expires_at(std::max(patience_ends, Clock::now() + std::chrono::milliseconds{50}));
    co_await room_.wait();
  }
}

void HalfOpens::cut_all() {
  stopping_ = true;
  for (auto* one : oldest_first_)
    one->cut();
  room_.notify();
}

HalfOpen::HalfOpen(HalfOpens& all, const asio::ip::address& from, int fd, SSL* ssl)
    : all_{all},
      fd_{fd},
      ssl_{ssl},
      from_{who(from)},
      accepted_{Clock::now()},
      where_{all.oldest_first_.insert(all.oldest_first_.end(), this)},
      deadline_{all.deadlines_, [this] { on_deadline(); }} {
  ++all_.per_address_[from_];
  ::SSL_set_msg_callback(ssl_, &HalfOpen::on_tls_message);
  ::SSL_set_msg_callback_arg(ssl_, this);
  deadline_.expires_at(accepted_ + wire::client_hello_timeout);
}

HalfOpen::~HalfOpen() {
  ::SSL_set_msg_callback(ssl_, nullptr);
  all_.oldest_first_.erase(where_);
  const auto mine = all_.per_address_.find(from_);
  if (--mine->second == 0) all_.per_address_.erase(mine);
  all_.room_.notify();
}

void HalfOpen::cut() {
  was_cut_ = true;
  ::shutdown(fd_, SHUT_RDWR);
}

void HalfOpen::on_deadline() {
  if (!hello_came_ || Clock::now() >= accepted_ + wire::authenticated_timeout) return cut();
  deadline_.expires_at(accepted_ + wire::authenticated_timeout);
}

/// OpenSSL tells of every whole message of the handshake (SSL_set_msg_callback(3)).
void HalfOpen::on_tls_message(int write, int, int content_type, const void* bytes,
                              std::size_t length, SSL*, void* self) {
  if (write == 0 && content_type == SSL3_RT_HANDSHAKE && length > 0 &&
      *static_cast<const unsigned char*>(bytes) == SSL3_MT_CLIENT_HELLO)
    static_cast<HalfOpen*>(self)->hello_came_ = true;
}

}  // namespace rdv
