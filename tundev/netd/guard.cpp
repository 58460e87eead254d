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
void add(Guard& guard, std::vector<T>& list, const T& item) {
  list.push_back(item);
  try {
    guard.apply();
  } catch (const net::NetError&) {
    list.pop_back();
    throw;
  }
}

template <class T>
void remove(Guard& guard, std::vector<T>& list, const T& item) {
  // One of them: a tunnel that is taken over has a second one for a moment.
  list.erase(std::find(list.begin(), list.end(), item));
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
  add(guard_, guard_.ports, port_);
}

GuardedPort::~GuardedPort() {
  remove(guard_, guard_.ports, port_);
}

GuardedNat::GuardedNat(Guard& guard, const tunnel::Ipv4Prefix& sources)
    : guard_{guard}, sources_{sources} {
  add(guard_, guard_.translated, sources_);
}

GuardedNat::~GuardedNat() {
  remove(guard_, guard_.translated, sources_);
}

}  // namespace device
