#include "provision/values.hpp"

#include "base/ipv4.hpp"
#include "base/proxy_url.hpp"
#include "provision/ssh_key.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tunnel::provision {
namespace {

constexpr std::size_t interface_chars_max = 15;  // IFNAMSIZ - 1
constexpr std::size_t ssid_bytes_max = 32;       // IEEE 802.11-2020, 9.4.2.2
constexpr std::size_t passphrase_chars_min = 8, passphrase_chars_max = 63, psk_digits = 64;
constexpr std::size_t apn_chars_max = 100;  // 3GPP TS 23.003, 9.1
constexpr std::size_t login_chars_max = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_printable_ascii(char c) {
  return c >= 0x20 && c < 0x7f;
}

template <class Allowed>
bool all(std::string_view text, Allowed allowed) {
  return std::all_of(text.begin(), text.end(), allowed);
}

/// Whether an address can be that of one host somewhere.
bool is_unicast(Ipv4Address address) {
  const auto first = address.value >> 24U;
  return first != 0 && first != 127 && first < 224;
}

}  // namespace

std::string name_problem(std::string_view name) {
  if (wire::Name::parse(name)) return {};
  return fmt::format("must be 1 to {} small letters, digits and hyphens, no hyphen at an end",
                     wire::device_name_chars_max);
}

std::string role_problem(std::string_view role) {
  return wire::parse_role(role) ? "" : "must be \"onsite\" or \"master\"";
}

std::string code_problem(std::string_view code) {
  const auto parsed = wire::EnrolmentCode::parse(code);
  if (parsed) return {};
  if (parsed.error() == wire::Errc::unsupported_version)
    return "is of a newer RDV than this device has: bring its software up to date";
  return "is mistyped or cut short: copy it whole from what rdvctl device add printed";
}

std::string ssh_key_problem(std::string_view key) {
  return SshKey::problem(key);
}

std::string interface_problem(std::string_view name) {
  const auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
  };
  const bool good = !name.empty() && name.size() <= interface_chars_max && all(name, allowed) &&
                    name != "." && name != "..";
  return good ? "" : "must be the name of an interface, e.g. \"eth0\"";
}

std::string address_problem(std::string_view cidr) {
  const auto parsed = Ipv4Prefix::parse(cidr);
  if (!parsed || cidr.find('/') == std::string_view::npos)
    return "must be an IPv4 address with its prefix length, e.g. \"192.168.1.10/24\"";
  if (parsed->length < 8 || parsed->length > 30) return "the prefix length must be from 8 to 30";
  if (!is_unicast(parsed->address)) return "is no address of a host";
  const auto host = parsed->address.value & ~parsed->mask();
  if (host == 0 || host == ~parsed->mask())
    return "is the network or the broadcast address of its prefix, not one of a host";
  return {};
}

std::string host_problem(std::string_view address) {
  const auto parsed = Ipv4Address::parse(address);
  if (!parsed) return "must be an IPv4 address, e.g. \"192.168.1.1\"";
  return is_unicast(*parsed) ? "" : "is no address of a host";
}

std::string gateway_problem(std::string_view gateway, std::string_view cidr) {
  if (auto problem = host_problem(gateway); !problem.empty()) return problem;
  const auto router = *Ipv4Address::parse(gateway);
  const auto own = *Ipv4Prefix::parse(cidr);
  if (!own.contains(router))
    return fmt::format("is not in the network of address, {}", own.network().str());
  return router == own.address ? "is the device's own address; it must be the router's" : "";
}

std::string ssid_problem(std::string_view ssid) {
  const bool good = !ssid.empty() && ssid.size() <= ssid_bytes_max;
  return good ? "" : fmt::format("must be the name of the Wi-Fi, 1 to {} bytes", ssid_bytes_max);
}

std::string passphrase_problem(std::string_view passphrase) {
  if (passphrase.size() == psk_digits && all(passphrase, is_hex_digit)) return {};
  const bool good = passphrase.size() >= passphrase_chars_min &&
                    passphrase.size() <= passphrase_chars_max &&
                    all(passphrase, is_printable_ascii);
  return good ? "" : "must be 8 to 63 ASCII characters, or 64 hexadecimal digits (WPA2)";
}

std::string country_problem(std::string_view country) {
  const bool good =
      country.size() == 2 && all(country, [](char c) { return c >= 'A' && c <= 'Z'; });
  return good ? "" : "must be the two capital letters of the country (ISO 3166), e.g. \"FR\"";
}

std::string apn_problem(std::string_view apn) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; };
  const bool good = !apn.empty() && apn.size() <= apn_chars_max && all(apn, allowed);
  return good ? "" : "must be the name of the operator's access point, e.g. \"internet\"";
}

std::string login_problem(std::string_view text) {
  const auto allowed = [](char c) { return is_printable_ascii(c) && c != '"' && c != '\\'; };
  const bool good = !text.empty() && text.size() <= login_chars_max && all(text, allowed);
  return good ? ""
              : fmt::format("must be 1 to {} ASCII characters, without \" and \\", login_chars_max);
}

std::string pin_problem(std::string_view pin) {
  const bool good = pin.size() >= 4 && pin.size() <= 8 && all(pin, is_digit);
  return good ? "" : "must be the 4 to 8 digits of the SIM card's PIN, in quotes";
}

std::string proxy_problem(std::string_view url) {
  std::string problem;
  (void)ProxyUrl::parse(url, problem);
  return problem;
}

}  // namespace tunnel::provision
