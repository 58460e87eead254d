#pragma once
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "core/device_session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace device {

namespace wire = tunnel::wire;

/// What the next agent needs to go on with an established session, should this one be killed. It
/// lies in netd's memory (LeaveNote), and holds no key: the next leg makes its own. Times are of
/// this boot, as the note is.
struct SessionNote {
  std::string owner;  ///< bus name of the masterdev that holds it; "" at an onsite
  tunnel::UnixSeconds since = 0;
  tunnel::Clock::time_point established, ends;
  tunnel::Bytes grant, signature;         ///< the newest
  std::vector<tunnel::Ipv4Address> deny;  ///< as netd was told
  /// While nobody has confirmed its mode: the mode that comes back, and when.
  std::optional<wire::Mode> back = {};
  tunnel::Clock::time_point confirm_until = {};

  bool operator==(const SessionNote&) const = default;
};

std::vector<std::uint8_t> encode_note(const SessionNote& note);
/// @return nothing when it is not one of this version or the one before
std::optional<SessionNote> decode_note(const std::vector<std::uint8_t>& bytes);

/// Decides if this device can go on with the session of a note: the grant is signed by its server
/// and made out to the key that it has now.
/// @param session  as netd knows it
/// @return nothing when not
std::optional<tunnel::core::DeviceSession::Kept> check_note(
    const SessionNote& note, std::uint64_t session, const tunnel::core::DeviceIdentity& self,
    const tunnel::core::DeviceTools& tools);

}  // namespace device
