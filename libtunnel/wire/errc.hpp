#pragma once
#include <boost/system/error_code.hpp>

namespace tunnel::wire {

/// What can be wrong with bytes a peer sent us. Values go into logs, never onto the wire.
enum class Errc {
  unknown_type = 1,     ///< frame type not known and not marked optional
  too_long,             ///< payload longer than its type allows
  truncated,            ///< a field ends before its length says
  malformed,            ///< not a valid encoding
  bad_name,             ///< not a device or system name
  bad_value,            ///< a field has a value that its type does not allow
  unexpected,           ///< a known message in a state where it must not come
  bad_signature,        ///< the grant is not signed by the server's grant key
  wrong_party,          ///< the grant or certificate speaks of somebody else
  stale_nonce,          ///< the grant does not answer our request
  unsupported_version,  ///< no protocol version in common
  bad_packet,           ///< not an IP packet the tunnel may carry
  wrong_address,        ///< a packet with an address that is not the session's
  behind_switch,        ///< bytes of the outer TLS behind Switch
};

boost::system::error_code make_error_code(Errc e) noexcept;

}  // namespace tunnel::wire

template <>
struct boost::system::is_error_code_enum<tunnel::wire::Errc> : std::true_type {};
