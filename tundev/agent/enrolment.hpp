#pragma once
#include "agent/identity.hpp"
#include "dial/proxy.hpp"
#include "io/asio.hpp"

#include <string>
#include <variant>

namespace device {

using tunnel::io::Task;

/// Why a device was not enrolled. `error` is the last part of an org.rdv.Error name; `text` a
/// sentence for a person.
struct EnrolFailure {
  std::string error;
  std::string text;
  bool is_final = false;  ///< the server does not take this key with this code, now or later
};

/// Proves `code` to the server it names, and checks what comes back against the code and the key.
/// Nothing is stored. Ends within enrol_timeout.
///
/// @param key              that the certificate is to be for; IdentityStore::enrolling_key()
/// @param server_override  "" or the servers to dial instead of the code's
/// @param proxies          on the way to it
Task<std::variant<Identity, EnrolFailure>> enrol(std::string code, crypto::Key key,
                                                 std::string server_override, ProxyChoice proxies,
                                                 std::string hostname);

inline constexpr auto enrol_timeout = std::chrono::seconds{20};

}  // namespace device
