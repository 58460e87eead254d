#pragma once
#include "net/deadlines.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <list>
#include <map>

namespace rdv {

class HalfOpen;

/// The connections that have not said who they are: how many there may be, in all and from one
/// address (IPv6: one /64).
class HalfOpens {
 public:
  HalfOpens(const asio::any_io_executor& executor, Deadlines& deadlines, std::size_t total_max,
            std::size_t per_address_max);

  /// May one more come from there?
  bool takes(const asio::ip::address& from) const;
  /// Returns when there is room for one more in all. Meanwhile the oldest is cut off once it is
  /// older than `patience_under_pressure`: slow strangers do not keep the others out.
  Task<> wait_for_room();
  std::size_t size() const { return oldest_first_.size(); }
  /// The server stops.
  void cut_all();

 private:
  friend class HalfOpen;
  Deadlines& deadlines_;
  std::size_t total_max_, per_address_max_;
  std::list<HalfOpen*> oldest_first_;
  std::map<asio::ip::address_v6, std::size_t> per_address_;
  Signal room_;
  bool stopping_ = false;
};

inline constexpr auto patience_under_pressure = std::chrono::seconds{2};

/// One of them, from accept to its first message. Cuts the connection (both directions are shut
/// down, so that whoever waits on the socket sees its end) at the absolute deadlines of
/// wire/limits.hpp: client_hello_timeout for the whole ClientHello, authenticated_timeout for all.
class HalfOpen {
 public:
  /// @param fd, ssl  of the connection; both must outlive this
  HalfOpen(HalfOpens& all, const asio::ip::address& from, int fd, SSL* ssl);
  HalfOpen(HalfOpen&&) = delete;
  ~HalfOpen();

  void cut();
  /// The deadline, or somebody, has cut it.
  bool was_cut() const noexcept { return was_cut_; }

 private:
  friend class HalfOpens;
  static void on_tls_message(int write, int version, int content_type, const void* bytes,
                             std::size_t length, SSL* ssl, void* self);
  void on_deadline();

  HalfOpens& all_;
  int fd_;
  SSL* ssl_;
  asio::ip::address_v6 from_;
  tunnel::Clock::time_point accepted_;
  std::list<HalfOpen*>::iterator where_;
  bool hello_came_ = false;
  bool was_cut_ = false;
  Deadline deadline_;
};

}  // namespace rdv
