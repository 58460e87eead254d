#include "agent/interception.hpp"

#include "crypto/tls_context.hpp"

#include <fmt/format.h>

namespace device {

std::string why_not_our_server(SSL* ssl, std::string_view failure, std::string_view server) {
  constexpr auto exempt =
      "TLS is intercepted: {1}; ask the customer's administrator to exempt {0} from inspection";
  if (const auto other = tunnel::crypto::other_issuer(ssl)) {
    if (other->is_rdv_server)
      return fmt::format(
          "{} is another RDV server, or was set up anew: its certificate was issued "
          "by '{}', not by the CA that this device was enrolled with; enrol it anew",
          server, other->name);
    return fmt::format(exempt, server,
                       fmt::format("the certificate for {} was issued by '{}', not by the RDV "
                                   "server's CA",
                                   server, other->name));
  }
  // As OpenSSL calls it when the other end answers with a version below 1.3, which ours never does.
  if (failure == "unsupported protocol" || failure == "wrong ssl version")
    return fmt::format(exempt, server, "what answers has no TLS 1.3, which the RDV server has");
  if (failure == "wrong version number" || failure == "http request" ||
      failure == "packet length too long")
    return fmt::format(
        "what answers at {} does not speak TLS: is there a login page, or a proxy "
        "that belongs into [proxy] of device.toml?",
        server);
  return {};
}

}  // namespace device
