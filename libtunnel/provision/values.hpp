#pragma once
#include <string>
#include <string_view>

/// Whether one value of a provisioning file can be used. Each answers what is wrong and what to
/// write instead, or "".
namespace tunnel::provision {

std::string name_problem(std::string_view name);
std::string role_problem(std::string_view role);
std::string code_problem(std::string_view code);
/// One line of a .pub file (sshd(8), AUTHORIZED_KEYS FILE FORMAT), without options.
std::string ssh_key_problem(std::string_view key);
std::string interface_problem(std::string_view name);
/// A host's address with its prefix length.
std::string address_problem(std::string_view cidr);
/// An IPv4 address of one host.
std::string host_problem(std::string_view address);
/// @param cidr  the device's own address, good
std::string gateway_problem(std::string_view gateway, std::string_view cidr);
std::string ssid_problem(std::string_view ssid);
std::string passphrase_problem(std::string_view passphrase);
std::string country_problem(std::string_view country);
std::string apn_problem(std::string_view apn);
/// A user or a password of a mobile network or a proxy.
std::string login_problem(std::string_view text);
std::string pin_problem(std::string_view pin);
std::string proxy_problem(std::string_view url);

}  // namespace tunnel::provision
