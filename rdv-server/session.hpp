#pragma once
#include "now.hpp"
#include "registry.hpp"
#include "wire/messages.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace rdv {

/// One master joined to one onsite, from the Offer to the end (picture in broker.hpp).
struct Session {
  enum class State { offered, granted, running };

  struct End {
    tunnel::wire::Name name;
    ConnectionId control{};
    tunnel::wire::Hash key_hash{};  ///< as in the grant
    bool attached = false;          ///< its leg came; each comes once
  };

  std::uint64_t id = 0;
  std::uint32_t epoch = 1;
  State state = State::offered;
  tunnel::wire::Name system;
  End master, onsite;
  tunnel::wire::Open open;             ///< what the master asked for
  std::uint32_t seconds = 0;           ///< the absolute limit
  tunnel::UnixSeconds since = 0;       ///< offered
  tunnel::UnixSeconds expires = 0;     ///< 0 until granted
  tunnel::Clock::time_point deadline;  ///< of the Offer, then of the legs; max() when running
  tunnel::Clock::time_point limit = tunnel::Clock::time_point::max();  ///< the end of its time
  tunnel::Clock::time_point linger =
      tunnel::Clock::time_point::max();        ///< a leg is gone: until here for the Close
  std::optional<tunnel::wire::Name> leg_lost;  ///< whose
  std::optional<tunnel::Ipv4Prefix> tunnel;    ///< set once granted
  std::uint64_t from_onsite_bytes = 0, from_master_bytes = 0;

  End& end_of(tunnel::wire::Role role) {
    return role == tunnel::wire::Role::onsite ? onsite : master;
  }
  tunnel::Clock::time_point next_deadline() const { return std::min({deadline, limit, linger}); }
};
std::string_view to_string(Session::State state);

}  // namespace rdv
