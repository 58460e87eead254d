#pragma once
#include "io/asio.hpp"

namespace rdv {

namespace asio = boost::asio;
using asio::ip::tcp;
using tunnel::io::error_code;
using tunnel::io::Task;
using tunnel::io::use_tuple;

/// Wakes the coroutines of one thread that wait for something to become true. They look again by
/// themselves: a wait may end for no reason.
class Signal {
 public:
  explicit Signal(const asio::any_io_executor& executor)
      : timer_{executor, tunnel::Clock::time_point::max()} {}

  Task<> wait() { co_await timer_.async_wait(use_tuple); }
  void notify() { timer_.cancel(); }

 private:
  tunnel::io::Timer timer_;
};

}  // namespace rdv
