#include "wire/errc.hpp"

#include <string>

namespace tunnel::wire {
namespace {

struct Category final : boost::system::error_category {
  const char* name() const noexcept override { return "rdv.wire"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::unknown_type: return "frame type is not known";
      case Errc::too_long: return "frame payload is longer than allowed";
      case Errc::truncated: return "message ends in the middle of a field";
      case Errc::malformed: return "message is not a valid encoding";
      case Errc::bad_name: return "name is not allowed: 1 to 32 of a-z, 0-9 and -";
      case Errc::bad_value: return "message has a value that is not allowed";
      case Errc::unexpected: return "message came in a state where it must not";
      case Errc::bad_signature: return "grant is not signed by the server's grant key";
      case Errc::wrong_party: return "grant is for another device";
      case Errc::stale_nonce: return "grant does not answer our request";
      case Errc::unsupported_version: return "no protocol version in common";
      case Errc::bad_packet: return "not a packet that the tunnel may carry";
      case Errc::wrong_address: return "packet has an address that is not the session's";
      case Errc::behind_switch: return "bytes of the outer TLS follow Switch";
    }
    return "unknown error";
  }
};

}  // namespace

boost::system::error_code make_error_code(Errc e) noexcept {
  static const Category category;
  return {static_cast<int>(e), category};
}

}  // namespace tunnel::wire
