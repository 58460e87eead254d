#pragma once
#include "base/clock.hpp"
#include "base/ipv4.hpp"
#include "wire/messages.hpp"
#include "wire/names.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rdv {

/// registered --enroll--> enrolled --revoke--> revoked; a revoked device never comes back, it is
/// removed and added anew.
enum class DeviceState { registered, enrolled, revoked };
std::string_view to_string(DeviceState state);

/// Prefixes an onsite opens beyond its own LAN. With the LAN and four DNS servers (udp and tcp) it
/// fits allow_rules_max.
inline constexpr std::size_t allow_prefixes_max = 16;

/// One device as the store knows it. It decides at every handshake, attach and grant; a certificate
/// alone opens nothing.
struct DeviceRecord {
  tunnel::wire::Name name;  ///< unique over the whole server
  tunnel::wire::Name system;
  tunnel::wire::Role role;
  std::string site;  ///< plain text, at most wire::site_chars_max
  DeviceState state = DeviceState::registered;
  std::optional<tunnel::wire::Hash> key_hash;  ///< set once enrolled
  tunnel::UnixSeconds created_at = 0;
  tunnel::UnixSeconds enrolled_at = 0;          ///< 0: never
  tunnel::UnixSeconds revoked_at = 0;           ///< 0: never
  tunnel::UnixSeconds certificate_expires = 0;  ///< 0: has none
  tunnel::UnixSeconds last_seen = 0;            ///< 0: never
  tunnel::UnixSeconds code_expires = 0;  ///< of the enrolment code that was not used yet; 0: none
  std::string revoked_reason;
  std::vector<tunnel::Ipv4Prefix> allow;
  bool allows_l2 = false;  ///< a master may join its LAN as a whole, and not only reach hosts in it

  tunnel::wire::Identity identity() const { return {system, role, name}; }
};

/// The devices as the broker asks for them.
class Directory {
 public:
  virtual ~Directory() = default;
  virtual std::optional<DeviceRecord> find(const tunnel::wire::Name& name) = 0;
  /// Every onsite of a system that is not revoked, sorted by name.
  virtual std::vector<DeviceRecord> onsites_of(const tunnel::wire::Name& system) = 0;
  /// The device was connected at `when`. May be written later: a power cut may lose it.
  virtual void note_seen(const tunnel::wire::Name& name, tunnel::UnixSeconds when) = 0;
};

}  // namespace rdv
