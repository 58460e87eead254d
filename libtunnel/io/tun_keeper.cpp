#include "io/tun_keeper.hpp"

#include "io/tun_read.hpp"

#include <unistd.h>

namespace tunnel::io {

namespace {
/// Read before others have their turn.
constexpr int packets_per_turn = 64;
}  // namespace

TunKeeper::TunKeeper(asio::any_io_executor executor, int tun, core::KeepBuffer keep)
    : tun_{std::move(executor), borrow_tun(tun)},
      keep_{std::move(keep)},
      packet_(wire::packet_payload_bytes_max) {}

TunKeeper::~TunKeeper() {
  stop();
}

Task<> TunKeeper::run() {
  while (!stopped_) {
    co_await tun_.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
    if (stopped_) break;
    if (!drain()) {
      tun_gone_ = true;
      stop();
    }
  }
}

void TunKeeper::stop() {
  if (std::exchange(stopped_, true)) return;
  tun_.release();
}

bool TunKeeper::drain() {
  for (int packets = 0; packets < packets_per_turn; ++packets) {
    const auto got = ::read(tun_.native_handle(), packet_.data(), packet_.size());
    switch (judge_tun_read(got)) {
      case TunRead::packet:
        keep_.put(ByteView{packet_}.first(static_cast<std::size_t>(got)));
        break;
      case TunRead::none: return true;
      case TunRead::again: break;
      case TunRead::gone: return false;
    }
  }
  return true;
}

}  // namespace tunnel::io
