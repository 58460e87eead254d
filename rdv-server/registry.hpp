#pragma once
#include "now.hpp"
#include "wire/messages.hpp"
#include "wire/names.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rdv {

/// A control connection; the number is given by whoever accepts it and never used twice.
enum class ConnectionId : std::uint64_t {};

/// A device that has said Hello.
struct OnlineDevice {
  ConnectionId connection{};
  tunnel::wire::Identity identity;
  tunnel::wire::Hash key_hash{};
  std::string public_address;  ///< without port
  tunnel::wire::Info info;
  tunnel::UnixSeconds since = 0;
};

/// So many replacements of one identity in `fight_window`, and two devices hold the same key.
inline constexpr std::size_t fight_replacements = 4;
inline constexpr auto fight_window = std::chrono::seconds{60};
inline constexpr auto quarantine_time = std::chrono::seconds{120};

/// Who is online, one connection per identity: the newest wins. Two that fight for an identity are
/// both kept out for `quarantine_time`. Pure; holds at most as many entries as there are
/// connections, plus those quarantined or lately replaced.
class Registry {
 public:
  struct Joined {
    std::optional<OnlineDevice>
        replaced;              ///< the entry that was there; its connection is to be closed
    bool quarantined = false;  ///< nobody is online under this name now; close both
  };

  /// The device said Hello. Not to be called while quarantined().
  ///
  /// @param proven  it knows the number of a session that only this device can know: the same
  /// device again, whose older connection died without a word, and no fight
  Joined join(OnlineDevice device, tunnel::Clock::time_point now, bool proven = false);
  /// @return the entry that was online by this connection, if any
  std::optional<OnlineDevice> leave(ConnectionId connection, const tunnel::wire::Name& name);
  /// How long the identity is still kept out; zero when it is not.
  tunnel::Clock::duration quarantined(const tunnel::wire::Name& name,
                                      tunnel::Clock::time_point now) const;

  const OnlineDevice* find(const tunnel::wire::Name& name) const;
  void update_info(const tunnel::wire::Name& name, tunnel::wire::Info info);
  std::size_t size() const { return online_.size(); }
  /// Forgets fights and quarantines that are over.
  void sweep(tunnel::Clock::time_point now);

 private:
  struct Fight {
    std::deque<tunnel::Clock::time_point> replacements;  // at most fight_replacements
    tunnel::Clock::time_point quarantined_until{};
  };
  std::map<tunnel::wire::Name, OnlineDevice> online_;
  std::map<tunnel::wire::Name, Fight> fights_;
};

}  // namespace rdv
