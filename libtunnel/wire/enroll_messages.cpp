#include "wire/messages.hpp"
#include "wire/proto_fields.hpp"

namespace tunnel::wire {
namespace {

using namespace proto;

Result<Enroll> take(const pb::Enroll& in) {
  const auto secret = take_array<enrolment_secret_bytes>(in.secret());
  const bool fits = !in.csr().empty() && in.csr().size() <= csr_bytes_max &&
                    is_plain_text(in.hostname(), hostname_chars_max) &&
                    is_plain_text(in.software(), hostname_chars_max);
  if (!secret || !fits) return Errc::bad_value;
  return Enroll{*secret, to_bytes(in.csr()), in.hostname(), in.software()};
}

Result<Enrolled> take(const pb::Enrolled& in) {
  const auto system = Name::parse(in.system());
  const auto name = Name::parse(in.name());
  const auto role = take_role(in.role());
  if (!system || !name) return Errc::bad_name;
  const bool fits = in.certificate().size() <= certificate_bytes_max &&
                    in.ca().size() <= certificate_bytes_max &&
                    in.grant_key().size() <= certificate_bytes_max;
  if (!role || !fits) return Errc::bad_value;
  return Enrolled{to_bytes(in.certificate()),
                  to_bytes(in.ca()),
                  to_bytes(in.grant_key()),
                  *system,
                  *name,
                  *role};
}

Result<EnrollRefused> take(const pb::Refused& in) {
  const auto code = take_code<RefusalCode>(in.code());
  if (!code || !is_plain_text(in.text(), text_chars_max)) return Errc::bad_value;
  return EnrollRefused{*code, in.text()};
}

template <class Pb>
Result<EnrollMessage> decode_as(ByteView payload) {
  Pb in;
  if (!parse(in, payload)) return Errc::malformed;
  auto message = take(in);
  if (!message) return message.error();
  return EnrollMessage{std::move(*message)};
}

pb::Enroll to_pb(const Enroll& m) {
  pb::Enroll out;
  put(*out.mutable_secret(), m.secret);
  put(*out.mutable_csr(), m.csr);
  out.set_hostname(to_plain_text(m.hostname, hostname_chars_max));
  out.set_software(to_plain_text(m.software, hostname_chars_max));
  return out;
}
pb::Enrolled to_pb(const Enrolled& m) {
  pb::Enrolled out;
  put(*out.mutable_certificate(), m.certificate);
  put(*out.mutable_ca(), m.ca);
  put(*out.mutable_grant_key(), m.grant_key);
  out.set_system(m.system.str());
  out.set_role(static_cast<std::uint32_t>(m.role));
  out.set_name(m.name.str());
  return out;
}
pb::Refused to_pb(const EnrollRefused& m) {
  pb::Refused out;
  out.set_code(static_cast<std::uint32_t>(m.code));
  out.set_text(sendable_text(m.text));
  return out;
}

}  // namespace

Result<EnrollMessage> decode_enroll(FrameType type, ByteView payload) {
  switch (type) {
    case FrameType::enroll: return decode_as<pb::Enroll>(payload);
    case FrameType::enrolled: return decode_as<pb::Enrolled>(payload);
    case FrameType::enroll_refused: return decode_as<pb::Refused>(payload);
    default: return Errc::unknown_type;
  }
}

Bytes encode(const EnrollMessage& message) {
  return std::visit([](const auto& m) { return frame_of(m.type, to_pb(m)); }, message);
}

}  // namespace tunnel::wire
