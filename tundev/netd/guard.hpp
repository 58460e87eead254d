#pragma once
#include "base/ipv4.hpp"
#include "net/guard_table.hpp"

#include <string>
#include <vector>

namespace device {

/// What the guard table (net/guard_table.hpp) is to protect now; one for the daemon.
struct Guard {
  std::vector<std::string> ports;
  std::vector<tunnel::Ipv4Prefix> translated;

  /// Makes the table so, also when somebody removed it. @throws net::NetError
  void apply();
  /// @throws net::NetError
  void remove() { table_.remove(); }

 private:
  tunnel::net::GuardTable table_;
};

/// In the guard's care as long as this object lives: nothing is forwarded from or to `ports` but
/// what a session permits, and nothing of the connections of `sources`, which a session translates,
/// meets this machine itself.
class Guarded {
 public:
  struct What {
    std::vector<std::string> ports = {};
    std::vector<tunnel::Ipv4Prefix> sources = {};
  };

  /// @throws net::NetError; then the guard is as before
  Guarded(Guard& guard, What what);
  ~Guarded();
  Guarded(Guarded&&) = delete;

 private:
  void let_go();

  Guard& guard_;
  What what_;
};

}  // namespace device
