#include "netd/guard.hpp"

#include "base/log.hpp"
#include "net/net_error.hpp"

#include <algorithm>
#include <utility>

namespace device {

namespace net = tunnel::net;

namespace {

template <class T>
void add(std::vector<T>& list, const std::vector<T>& items) {
  list.insert(list.end(), items.begin(), items.end());
}

template <class T>
void remove(std::vector<T>& list, const std::vector<T>& items) {
  // One of each: a tunnel that is taken over is there twice for a moment.
  for (const auto& item : items)
    list.erase(std::find(list.begin(), list.end(), item));
}

}  // namespace

void Guard::apply() {
  table_.apply(ports, translated);
}

/// All at once: the table that stands, perhaps an earlier netd's, may hold them already.
Guarded::Guarded(Guard& guard, What what) : guard_{guard}, what_{std::move(what)} {
  add(guard_.ports, what_.ports);
  add(guard_.translated, what_.sources);
  try {
    guard_.apply();
  } catch (const net::NetError&) {
    let_go();
    throw;
  }
}

Guarded::~Guarded() {
  let_go();
  try {
    guard_.apply();
  } catch (const net::NetError& error) {
    tunnel::log::warn("cannot take something out of the guard table",
                      {tunnel::log::reason(error.what())});
  }
}

void Guarded::let_go() {
  remove(guard_.ports, what_.ports);
  remove(guard_.translated, what_.sources);
}

}  // namespace device
