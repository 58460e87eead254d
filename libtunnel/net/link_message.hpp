#pragma once
#include "net/message.hpp"

#include <optional>

namespace tunnel::net {

/// The request that switches a link on or off and sets its MTU; what is absent is left alone.
Message make_link_request(int index, std::optional<bool> up, std::optional<int> mtu_bytes = {});

}  // namespace tunnel::net
