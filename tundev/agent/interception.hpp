#pragma once
#include <openssl/types.h>

#include <string>
#include <string_view>

namespace device {

/// Who answered in the server's place, after a TLS handshake failed, for a person: a proxy or
/// firewall that inspects TLS, the server of somebody else, what is no TLS at all.
///
/// @param failure  what TLS itself says of it
/// @param server   host:port that was dialled
/// @return ""  nothing points to that
std::string why_not_our_server(SSL* ssl, std::string_view failure, std::string_view server);

}  // namespace device
