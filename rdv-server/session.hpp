#pragma once
#include "now.hpp"
#include "registry.hpp"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rdv {

/// One master joined to one onsite, from the Offer to the end (picture in broker.hpp).
struct Session {
  enum class State { offered, granted, running, interrupted };

  /// A Resume that waits for the other end's.
  struct Asked {
    std::uint32_t epoch = 0;
    tunnel::wire::Nonce nonce{};
  };

  struct End {
    tunnel::wire::Name name;
    ConnectionId control{};         ///< its newest; ConnectionId{} while it has none
    tunnel::wire::Hash key_hash{};  ///< as in the grant
    bool attached = false;          ///< its leg of this epoch came; each comes once
    std::optional<Asked> asked{};   ///< its last Resume of the round to come
    /// When it sent one within the last minute, at most wire::resumes_per_minute_max + 1.
    std::vector<tunnel::Clock::time_point> resumes{};

    /// A Resume is void with its connection.
    void leave_control() {
      control = ConnectionId{};
      asked.reset();
    }
  };

  std::uint64_t id = 0;
  std::uint32_t epoch = 1;
  State state = State::offered;
  tunnel::wire::Name system;
  End master, onsite;
  tunnel::wire::Open open;          ///< what the master asked for
  std::string_view rule;            ///< of the policy, that allowed it; "" after a restart
  std::uint32_t seconds = 0;        ///< the absolute limit
  tunnel::UnixSeconds since = 0;    ///< offered
  tunnel::UnixSeconds expires = 0;  ///< 0 until granted
  /// Of the Offer, of the legs, or of the interruption; max() when running.
  tunnel::Clock::time_point deadline;
  tunnel::Clock::time_point limit = tunnel::Clock::time_point::max();  ///< the end of its time
  tunnel::Clock::time_point linger =
      tunnel::Clock::time_point::max();  ///< a leg is gone: until here for the Close
  tunnel::Clock::time_point grace =
      tunnel::Clock::time_point::max();  ///< the end of an interruption's patience
  tunnel::Clock::time_point running_since{};
  tunnel::UnixSeconds interrupted_since = 0;   ///< 0 when it is not
  std::optional<tunnel::wire::Name> leg_lost;  ///< whose
  bool never_stood = false;                    ///< it was lost during the first hand-off
  std::optional<tunnel::Ipv4Prefix> tunnel;    ///< set once granted, as the next two; not in L2
  std::vector<tunnel::wire::Allow> allow{};
  std::vector<tunnel::Ipv4Address> dns{};
  std::uint64_t from_onsite_bytes = 0, from_master_bytes = 0;                  ///< in all epochs
  std::uint64_t earlier_from_onsite_bytes = 0, earlier_from_master_bytes = 0;  ///< before this one

  End& end_of(tunnel::wire::Role role) {
    return role == tunnel::wire::Role::onsite ? onsite : master;
  }
  bool has_end(const tunnel::wire::Name& name) const {
    return master.name == name || onsite.name == name;
  }
  /// @param name  of one of the two
  End& end_named(const tunnel::wire::Name& name) { return master.name == name ? master : onsite; }
  tunnel::Clock::time_point next_deadline() const { return std::min({deadline, limit, linger}); }
};
std::string_view to_string(Session::State state);
/// Why a session ended at its limit, for people.
std::string time_limit_text(std::uint32_t seconds);

}  // namespace rdv
