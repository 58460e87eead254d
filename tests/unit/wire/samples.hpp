#pragma once
#include "rdv.pb.h"
#include "wire/grant.hpp"
#include "wire/messages.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

/// One good example of everything that travels, with every field set to something else than its
/// default.
namespace tunnel::wire::samples {

Name name(std::string_view text);
Ipv4Prefix prefix(std::string_view text);
Ipv4Address address(std::string_view text);
/// 32 bytes that begin with `first` and count up.
std::array<std::byte, 32> bytes32(int first);
Bytes bytes(std::size_t count, int first = 1);

Info info();
Grant grant();
/// Each kind of ControlMessage once.
std::vector<ControlMessage> control_messages();
std::vector<EnrollMessage> enroll_messages();

/// The payload of a whole frame, whose header must fit it.
ByteView payload_of(ByteView frame);
FrameType type_of(ByteView frame);

/// A protobuf message as payload, past our encoders.
template <class Pb>
Bytes payload(const Pb& message) {
  return to_bytes(message.SerializeAsString());
}
/// The checked message's encoding as a protobuf message: change a field and see what decode says of
/// it.
template <class Pb, class Message>
Pb pb_of(const Message& message) {
  const auto frame = encode(message);
  Pb out;
  const auto body = payload_of(frame);
  BOOST_REQUIRE(out.ParseFromArray(body.data(), static_cast<int>(body.size())));
  return out;
}

/// Text of exactly `count` bytes with a two-byte character at its end.
std::string text(std::size_t count);

}  // namespace tunnel::wire::samples
