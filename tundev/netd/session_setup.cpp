#include "netd/session_setup.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <stdexcept>

namespace device {
namespace {

struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) {
  throw Refused{fmt::format(text, std::forward<Args>(args)...)};
}

/// What a refusal repeats of the caller's text.
std::string quoted(std::string_view text) {
  return fmt::format("\"{:.40}\"", text);
}

Role role_of(const std::string& word) {
  if (word == "master") return Role::master;
  if (word == "onsite") return Role::onsite;
  refuse("role {} is neither \"master\" nor \"onsite\"", quoted(word));
}

Mode mode_of(const std::string& word) {
  if (word.empty() || word == "L3") return Mode::l3;
  if (word == "L2") return Mode::l2;
  refuse("mode {} is neither \"L3\" nor \"L2\"", quoted(word));
}

/// An L2 session has no addresses of its own, and permits nothing by address.
void refuse_what_is_of_l3(const SessionRequest& request) {
  const auto refuse_if = [](bool is_there, std::string_view key) {
    if (is_there) refuse("{} has no meaning in L2 mode", key);
  };
  refuse_if(!request.tunnel.empty(), "tunnel");
  refuse_if(!request.allow.empty(), "allow");
  refuse_if(!request.deny.empty(), "deny");
  refuse_if(!request.dns.empty(), "dns");
}

tunnel::Ipv4Prefix prefix_of(std::string_view what, const std::string& text) {
  const auto prefix = tunnel::Ipv4Prefix::parse(text);
  if (!prefix) refuse("{} {} is not an IPv4 prefix", what, quoted(text));
  return prefix->network();
}

tunnel::Ipv4Prefix tunnel_of(const std::string& text) {
  const auto tunnel = tunnel::Ipv4Prefix::parse(text);
  if (!tunnel || tunnel->length != 30 || tunnel->network() != *tunnel)
    refuse("tunnel {} is not a /30 like 192.168.200.4/30", quoted(text));
  const auto first = tunnel->address.value >> 24U;
  if (first == 0 || first == 127 || first >= 224) refuse("tunnel {} is not unicast", quoted(text));
  return *tunnel;
}

bool has_ports(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
         protocol == IPPROTO_DCCP;
}

Permit permit_of(const SessionRequest& request, std::size_t i) {
  const auto& [prefix, protocol, first, last] = request.allow[i];
  const Permit permit{prefix_of("allow", prefix), protocol, first, last};
  if (first > last || (first == 0 && last != 0))
    refuse("allow {}: ports {} to {} are not a range", quoted(prefix), first, last);
  if (first != 0 && !has_ports(protocol))
    refuse("allow {}: protocol {} has no ports", quoted(prefix), protocol);
  return permit;
}

/// The tunnel carries IPv4: such a server is of no use, and no mistake of the caller either.
bool is_ipv6_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

void limit(std::string_view what, std::size_t count, std::size_t max) {
  if (count > max) refuse("{}: {} entries, at most {} are possible", what, count, max);
}

SessionSetup checked(const SessionRequest& request) {
  SessionSetup setup;
  setup.role = role_of(request.role);
  setup.mode = mode_of(request.mode);
  if (!request.interface.empty() && !is_link_name(request.interface))
    refuse("interface {} is not a name of a link", quoted(request.interface));
  setup.interface = request.interface;
  if (setup.mode == Mode::l2) {
    refuse_what_is_of_l3(request);
    return setup;
  }
  setup.tunnel = tunnel_of(request.tunnel);
  limit("allow", request.allow.size(), allow_max);
  limit("deny", request.deny.size(), deny_max);
  limit("dns", request.dns.size(), dns_max);
  for (std::size_t i = 0; i < request.allow.size(); ++i)
    setup.allow.push_back(permit_of(request, i));
  for (const auto& text : request.deny)
    setup.deny.push_back(prefix_of("deny", text));
  for (const auto& text : request.dns) {
    const auto server = tunnel::Ipv4Address::parse(text);
    if (server)
      setup.dns.push_back(*server);
    else if (!is_ipv6_address(text))
      refuse("dns {} is not an address", quoted(text));
  }
  return setup;
}

}  // namespace

std::string_view to_text(Role role) {
  switch (role) {
    case Role::none: return "";
    case Role::master: return "master";
    case Role::onsite: return "onsite";
  }
  return "";
}

bool check_session(const SessionRequest& request, SessionSetup& setup, std::string& problem) {
  try {
    setup = checked(request);
    return true;
  } catch (const Refused& refused) {
    problem = refused.what();
    return false;
  }
}

bool is_link_name(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '/' && c != '"' && c != ':' && c != '\\';
  });
}

}  // namespace device
