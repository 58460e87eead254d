#include "net/link_off.hpp"

#include "base/files.hpp"
#include "base/log.hpp"
#include "net/link_message.hpp"
#include "net/net_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <exception>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace tunnel::net {
namespace {

/// Index and name: another link of either is not meant.
void write_note(const std::string& note, const LinkInfo& link) try {
  constexpr unsigned readable = 0644;
  write_file_durably(note, fmt::format("{} {}\n", link.index, link.name), readable);
} catch (const std::system_error& error) {
  throw NetError{error.code().value(), fmt::format("note that link {} is off", link.name)};
}

/// @return whether it was there
bool switch_on(Netlink& netlink, int index, const std::string& name) {
  auto request = make_link_request(index, true);
  const auto outcome = netlink.socket().transact(request);
  if (outcome.error && outcome.error.value() != ENODEV)
    throw NetError{outcome.error, "switch on link " + name};
  return !outcome.error;
}

}  // namespace

LinkOff::LinkOff(Netlink& netlink, const std::string& name, std::string note)
    : netlink_{netlink}, note_{std::move(note)} {
  const auto attempted = fmt::format("switch off link {}", name);
  const auto found = netlink_.find_link(name);
  if (!found) throw NetError{ENODEV, attempted};
  link_ = *found;
  write_note(note_, link_);
  auto request = make_link_request(link_.index, false);
  try {
    netlink_.socket().request(request, attempted);
  } catch (const NetError&) {
    ::unlink(note_.c_str());
    throw;
  }
}

LinkOff::~LinkOff() {
  try {
    end();
  } catch (const std::exception& error) {
    log::error("a link stays off that should be on", {log::reason(error.what())});
  }
}

void LinkOff::end() {
  if (over_) return;
  switch_on(netlink_, link_.index, link_.name);
  ::unlink(note_.c_str());
  over_ = true;
}

std::optional<int> return_link(Netlink& netlink, const std::string& note) {
  std::ifstream file{note};
  int index = 0;
  std::string name;
  if (!file) return std::nullopt;
  const auto link = file >> index >> name ? netlink.find_link(name) : std::nullopt;
  const bool is_it = link && link->index == index && switch_on(netlink, index, name);
  ::unlink(note.c_str());
  return is_it ? std::optional{index} : std::nullopt;
}

}  // namespace tunnel::net
