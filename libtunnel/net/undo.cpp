#include "net/undo.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace tunnel::net {

void undo(NetlinkSocket& socket, const std::function<Message()>& make_request,
          const std::function<std::string()>& attempted, std::initializer_list<int> gone) noexcept
    try {
  auto request = make_request();
  const auto outcome = socket.transact(request);
  if (!outcome.error) return;
  if (std::find(gone.begin(), gone.end(), outcome.error.value()) != gone.end()) return;
  log::warn("cannot undo a change of the kernel's network",
            {log::reason(fmt::format("{}: {}", attempted(), outcome.error.message()))});
} catch (const std::exception&) {
  // No memory, not even for the log line: nothing sensible is left to do in a destructor.
}

}  // namespace tunnel::net
