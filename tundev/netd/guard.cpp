#include "netd/guard.hpp"

#include "base/log.hpp"
#include "net/guard_table.hpp"
#include "net/net_error.hpp"

#include <algorithm>
#include <utility>

namespace device {

namespace net = tunnel::net;

namespace {

template <class T>
void remove(std::vector<T>& list, const std::vector<T>& items) {
  // One of each: a tunnel that is taken over is there twice for a moment.
  for (const auto& item : items)
    list.erase(std::find(list.begin(), list.end(), item));
}

/// All at once: the table that stands, perhaps an earlier netd's, may hold them already.
template <class T>
void guard_these(Guard& guard, std::vector<T>& list, const std::vector<T>& items) {
  list.insert(list.end(), items.begin(), items.end());
  try {
    guard.apply();
  } catch (const net::NetError&) {
    remove(list, items);
    throw;
  }
}

template <class T>
void let_go(Guard& guard, std::vector<T>& list, const std::vector<T>& items) {
  remove(list, items);
  try {
    guard.apply();
  } catch (const net::NetError& error) {
    tunnel::log::warn("cannot take something out of the guard table",
                      {tunnel::log::reason(error.what())});
  }
}

}  // namespace

void Guard::apply() const {
  net::guard_table::apply(ports, translated);
}

GuardedPort::GuardedPort(Guard& guard, std::string port) : guard_{guard}, port_{std::move(port)} {
  guard_these(guard_, guard_.ports, {port_});
}

GuardedPort::~GuardedPort() {
  let_go(guard_, guard_.ports, {port_});
}

GuardedNat::GuardedNat(Guard& guard, std::vector<tunnel::Ipv4Prefix> sources)
    : guard_{guard}, sources_{std::move(sources)} {
  guard_these(guard_, guard_.translated, sources_);
}

GuardedNat::~GuardedNat() {
  let_go(guard_, guard_.translated, sources_);
}

}  // namespace device
