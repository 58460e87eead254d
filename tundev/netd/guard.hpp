#pragma once
#include "base/ipv4.hpp"

#include <string>
#include <vector>

namespace device {

/// What the guard table (net/guard_table.hpp) is to protect now; one for the daemon.
struct Guard {
  std::vector<std::string> ports;
  std::vector<tunnel::Ipv4Prefix> translated;

  /// Makes the table so. @throws net::NetError
  void apply() const;
};

/// A link in the guard's care as long as this object lives: nothing is forwarded from or to it but
/// what a session permits.
class GuardedPort {
 public:
  /// @throws net::NetError; then the guard is as before
  GuardedPort(Guard& guard, std::string port);
  ~GuardedPort();
  GuardedPort(GuardedPort&&) = delete;

 private:
  Guard& guard_;
  std::string port_;
};

/// The same for the connections of `sources`, which a session translates.
class GuardedNat {
 public:
  /// @throws net::NetError; then the guard is as before
  GuardedNat(Guard& guard, std::vector<tunnel::Ipv4Prefix> sources);
  ~GuardedNat();
  GuardedNat(GuardedNat&&) = delete;

 private:
  Guard& guard_;
  std::vector<tunnel::Ipv4Prefix> sources_;
};

}  // namespace device
