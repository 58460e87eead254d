#pragma once
#include "base/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

/// Our aliases of Asio and the one completion token; the only "umbrella" header, and the
/// precompiled one.
namespace tunnel::io {

namespace asio = boost::asio;
using boost::system::error_code;

/// Our one completion token: `auto [ec, n] = co_await op(..., use_tuple);` never throws.
inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

template <class T = void>
using Task = asio::awaitable<T>;

/// A timer on the clock of all deadlines (CLOCK_BOOTTIME).
using Timer = asio::basic_waitable_timer<Clock>;

}  // namespace tunnel::io
