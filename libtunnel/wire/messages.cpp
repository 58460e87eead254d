#include "wire/messages.hpp"

#include "wire/proto_fields.hpp"

namespace tunnel::wire {
namespace {

using namespace proto;

// --- device -> server and both ways -------------------------------------------------------------

pb::Hello to_pb(const Hello& m) {
  pb::Hello out;
  out.set_version_min(m.version_min);
  out.set_version_max(m.version_max);
  put(*out.mutable_info(), m.info);
  for (const auto session : m.sessions)
    out.add_sessions(session);
  return out;
}
Result<Hello> from_pb(const pb::Hello& in) {
  auto info = take_info(in.info());
  if (!info) return info.error();
  if (in.version_min() == 0 || in.version_min() > in.version_max()) return Errc::bad_value;
  if (static_cast<std::size_t>(in.sessions_size()) > held_sessions_max) return Errc::bad_value;
  if (std::ranges::find(in.sessions(), 0U) != in.sessions().end()) return Errc::bad_value;
  return Hello{in.version_min(),
               in.version_max(),
               std::move(*info),
               {in.sessions().begin(), in.sessions().end()}};
}

pb::Welcome to_pb(const Welcome& m) {
  pb::Welcome out;
  out.set_version(m.version);
  out.set_ping_after_seconds(m.ping_after_seconds);
  out.set_server_time(m.server_time);
  out.set_system(m.system.str());
  out.set_role(static_cast<std::uint32_t>(m.role));
  out.set_name(m.name.str());
  out.set_public_address(to_plain_text(m.public_address, address_chars_max));
  return out;
}
Result<Welcome> from_pb(const pb::Welcome& in) {
  const auto system = Name::parse(in.system());
  const auto name = Name::parse(in.name());
  const auto role = take_role(in.role());
  if (!system || !name) return Errc::bad_name;
  if (!role || !is_plain_text(in.public_address(), address_chars_max)) return Errc::bad_value;
  if (in.version() < version_min || in.version() > version_max) return Errc::unsupported_version;
  const auto ping_after = std::chrono::seconds{in.ping_after_seconds()};
  if (ping_after < 1s || ping_after > ping_after_max) return Errc::bad_value;
  return Welcome{in.version(), in.ping_after_seconds(), in.server_time(), *system, *name,
                 *role,        in.public_address()};
}

pb::Ping ping_to_pb(std::uint64_t token) {
  pb::Ping out;
  out.set_token(token);
  return out;
}
pb::Ping to_pb(const Ping& m) {
  return ping_to_pb(m.token);
}
pb::Ping to_pb(const Pong& m) {
  return ping_to_pb(m.token);
}

pb::Hello to_pb_info(const Info& info) {
  pb::Hello out;
  put(*out.mutable_info(), info);
  return out;
}
pb::Hello to_pb(const InfoUpdate& m) {
  return to_pb_info(m.info);
}
Result<InfoUpdate> info_update_from_pb(const pb::Hello& in) {
  auto info = take_info(in.info());
  if (!info) return info.error();
  return InfoUpdate{std::move(*info)};
}

// --- list ---------------------------------------------------------------------------------------

pb::List to_pb(const List& m) {
  pb::List out;
  out.set_request(m.request);
  return out;
}

pb::Listing to_pb(const Listing& m) {
  pb::Listing out;
  out.set_request(m.request);
  out.set_last(m.last);
  for (const auto& device : m.devices) {
    auto& entry = *out.add_devices();
    entry.set_name(device.name.str());
    entry.set_site(to_plain_text(device.site, site_chars_max));
    put(*entry.mutable_info(), device.info);
    entry.set_public_address(to_plain_text(device.public_address, address_chars_max));
    entry.set_online(device.online);
    entry.set_since(device.since);
    if (device.busy_with) entry.set_busy_with(device.busy_with->str());
    entry.set_busy_since(device.busy_since);
  }
  return out;
}
Result<ListedDevice> take_device(const pb::Device& in) {
  const auto name = Name::parse(in.name());
  if (!name) return name.error();
  auto info = take_info(in.info());
  if (!info) return info.error();
  if (!is_plain_text(in.site(), site_chars_max) ||
      !is_plain_text(in.public_address(), address_chars_max))
    return Errc::bad_value;
  const auto busy_with = take_optional_name(in.busy_with());
  if (!busy_with) return busy_with.error();
  return ListedDevice{*name,       in.site(),  std::move(*info), in.public_address(),
                      in.online(), in.since(), *busy_with,       in.busy_since()};
}
Result<Listing> from_pb(const pb::Listing& in) {
  if (static_cast<std::size_t>(in.devices_size()) > listing_devices_max) return Errc::bad_value;
  Listing listing{.request = in.request(), .devices = {}, .last = in.last()};
  for (const auto& entry : in.devices()) {
    auto device = take_device(entry);
    if (!device) return device.error();
    listing.devices.push_back(std::move(*device));
  }
  return listing;
}

// --- opening a session --------------------------------------------------------------------------

pb::Open to_pb(const Open& m) {
  pb::Open out;
  out.set_request(m.request);
  out.set_onsite(m.onsite.str());
  out.set_mode(static_cast<std::uint32_t>(m.mode));
  put(*out.mutable_nonce(), m.nonce);
  out.set_seconds(m.seconds);
  out.set_wait(m.wait);
  return out;
}
Result<Open> from_pb(const pb::Open& in) {
  const auto onsite = Name::parse(in.onsite());
  if (!onsite) return onsite.error();
  const auto mode = take_mode(in.mode());
  const auto nonce = take_array<nonce_bytes>(in.nonce());
  if (!mode || !nonce || in.request() == 0 || in.seconds() > session_seconds_max)
    return Errc::bad_value;
  return Open{in.request(), *onsite, *mode, *nonce, in.seconds(), in.wait()};
}

pb::Waiting to_pb(const Waiting& m) {
  pb::Waiting out;
  out.set_request(m.request);
  out.set_code(static_cast<std::uint32_t>(m.code));
  out.set_text(sendable_text(m.text));
  out.set_since(m.since);
  return out;
}
Result<Waiting> from_pb(const pb::Waiting& in) {
  const auto code = take_code<RefusalCode>(in.code());
  if (!code || !is_plain_text(in.text(), text_chars_max)) return Errc::bad_value;
  return Waiting{in.request(), *code, in.text(), in.since()};
}

template <class PbRefusal>
PbRefusal refusal_to_pb(RefusalCode code, const std::string& text) {
  PbRefusal out;
  out.set_code(static_cast<std::uint32_t>(code));
  out.set_text(sendable_text(text));
  return out;
}
pb::Refused to_pb(const Refused& m) {
  auto out = refusal_to_pb<pb::Refused>(m.code, m.text);
  out.set_request(m.request);
  return out;
}
Result<Refused> from_pb(const pb::Refused& in) {
  const auto code = take_code<RefusalCode>(in.code());
  if (!code || !is_plain_text(in.text(), text_chars_max)) return Errc::bad_value;
  return Refused{in.request(), *code, in.text()};
}

pb::Offer to_pb(const Offer& m) {
  pb::Offer out;
  out.set_session(m.session);
  out.set_master(m.master.str());
  out.set_mode(static_cast<std::uint32_t>(m.mode));
  out.set_seconds(m.seconds);
  if (m.master_lan) put(*out.mutable_master_lan(), *m.master_lan);
  return out;
}
Result<Offer> from_pb(const pb::Offer& in) {
  const auto master = Name::parse(in.master());
  if (!master) return master.error();
  const auto mode = take_mode(in.mode());
  if (!mode || in.session() == 0 || in.seconds() > session_seconds_max) return Errc::bad_value;
  Offer offer{in.session(), *master, *mode, in.seconds(), std::nullopt};
  if (in.has_master_lan()) {
    const auto lan = take_prefix(in.master_lan());
    if (!lan) return lan.error();
    offer.master_lan = *lan;
  }
  return offer;
}

pb::Accept to_pb(const Accept& m) {
  pb::Accept out;
  out.set_session(m.session);
  put(*out.mutable_nonce(), m.nonce);
  return out;
}
Result<Accept> from_pb(const pb::Accept& in) {
  const auto nonce = take_array<nonce_bytes>(in.nonce());
  if (!nonce || in.session() == 0) return Errc::bad_value;
  return Accept{in.session(), *nonce};
}

pb::Decline to_pb(const Decline& m) {
  auto out = refusal_to_pb<pb::Decline>(m.code, m.text);
  out.set_session(m.session);
  return out;
}
Result<Decline> from_pb(const pb::Decline& in) {
  const auto code = take_code<RefusalCode>(in.code());
  if (!code || in.session() == 0 || !is_plain_text(in.text(), text_chars_max))
    return Errc::bad_value;
  return Decline{in.session(), *code, in.text()};
}

pb::Granted to_pb(const Granted& m) {
  pb::Granted out;
  out.set_request(m.request);
  put(*out.mutable_grant(), m.grant);
  put(*out.mutable_signature(), m.signature);
  put(*out.mutable_peer(), m.peer);
  return out;
}
Result<Granted> from_pb(const pb::Granted& in) {
  auto peer = take_info(in.peer());
  if (!peer) return peer.error();
  if (in.signature().size() > signature_bytes_max) return Errc::bad_value;
  return Granted{in.request(), to_bytes(in.grant()), to_bytes(in.signature()), std::move(*peer)};
}

// --- ends ---------------------------------------------------------------------------------------

pb::Close to_pb(const Close& m) {
  pb::Close out;
  out.set_session(m.session);
  out.set_code(static_cast<std::uint32_t>(m.code));
  out.set_text(sendable_text(m.text));
  return out;
}
Result<Close> from_pb(const pb::Close& in) {
  const auto code = take_code<CloseCode>(in.code());
  if (!code || !is_plain_text(in.text(), text_chars_max)) return Errc::bad_value;
  return Close{in.session(), *code, in.text()};
}

pb::Goodbye to_pb(const Goodbye& m) {
  pb::Goodbye out;
  out.set_code(static_cast<std::uint32_t>(m.code));
  out.set_text(sendable_text(m.text));
  out.set_retry_after_ms(m.retry_after_ms);
  return out;
}
Result<Goodbye> from_pb(const pb::Goodbye& in) {
  const auto code = take_code<GoodbyeCode>(in.code());
  if (!code || !is_plain_text(in.text(), text_chars_max)) return Errc::bad_value;
  return Goodbye{*code, in.text(), in.retry_after_ms()};
}

pb::Renew to_pb(const Renew& m) {
  pb::Renew out;
  put(*out.mutable_csr(), m.csr);
  return out;
}
Result<Renew> from_pb(const pb::Renew& in) {
  if (in.csr().empty() || in.csr().size() > csr_bytes_max) return Errc::bad_value;
  return Renew{to_bytes(in.csr())};
}

pb::Renewed to_pb(const Renewed& m) {
  pb::Renewed out;
  put(*out.mutable_certificate(), m.certificate);
  return out;
}
Result<Renewed> from_pb(const pb::Renewed& in) {
  if (in.certificate().empty() || in.certificate().size() > certificate_bytes_max)
    return Errc::bad_value;
  return Renewed{to_bytes(in.certificate())};
}

pb::Cancel to_pb(const Cancel& m) {
  pb::Cancel out;
  out.set_request(m.request);
  return out;
}

pb::Interrupted to_pb(const Interrupted& m) {
  pb::Interrupted out;
  out.set_session(m.session);
  out.set_epoch(m.epoch);
  return out;
}
Result<Interrupted> from_pb(const pb::Interrupted& in) {
  if (in.session() == 0 || in.epoch() == 0) return Errc::bad_value;
  return Interrupted{in.session(), in.epoch()};
}

pb::Resume to_pb(const Resume& m) {
  pb::Resume out;
  out.set_session(m.session);
  out.set_epoch(m.epoch);
  put(*out.mutable_nonce(), m.nonce);
  return out;
}
Result<Resume> from_pb(const pb::Resume& in) {
  const auto nonce = take_array<nonce_bytes>(in.nonce());
  if (!nonce || in.session() == 0 || in.epoch() == 0) return Errc::bad_value;
  return Resume{in.session(), in.epoch(), *nonce};
}

/// Parses `payload` as a Pb and checks it with `check`.
template <class Message, class Pb>
Result<ControlMessage> decode_as(ByteView payload, Result<Message> (*check)(const Pb&)) {
  Pb in;
  if (!parse(in, payload)) return Errc::malformed;
  auto message = check(in);
  if (!message) return message.error();
  return ControlMessage{std::move(*message)};
}

Result<Ping> ping_from_pb(const pb::Ping& in) {
  return Ping{in.token()};
}
Result<Pong> pong_from_pb(const pb::Ping& in) {
  return Pong{in.token()};
}
Result<List> list_from_pb(const pb::List& in) {
  return List{in.request()};
}
Result<Cancel> cancel_from_pb(const pb::Cancel& in) {
  return Cancel{in.request()};
}

template <class Message, class Pb>
Result<ControlMessage> decode_as(ByteView payload) {
  return decode_as<Message, Pb>(payload,
                                [](const Pb& in) -> Result<Message> { return from_pb(in); });
}

}  // namespace

Result<ControlMessage> decode_control(FrameType type, ByteView payload) {
  switch (type) {
    case FrameType::hello: return decode_as<Hello, pb::Hello>(payload);
    case FrameType::welcome: return decode_as<Welcome, pb::Welcome>(payload);
    case FrameType::ping: return decode_as<Ping, pb::Ping>(payload, ping_from_pb);
    case FrameType::pong: return decode_as<Pong, pb::Ping>(payload, pong_from_pb);
    case FrameType::info: return decode_as<InfoUpdate, pb::Hello>(payload, info_update_from_pb);
    case FrameType::list: return decode_as<List, pb::List>(payload, list_from_pb);
    case FrameType::listing: return decode_as<Listing, pb::Listing>(payload);
    case FrameType::open: return decode_as<Open, pb::Open>(payload);
    case FrameType::waiting: return decode_as<Waiting, pb::Waiting>(payload);
    case FrameType::refused: return decode_as<Refused, pb::Refused>(payload);
    case FrameType::offer: return decode_as<Offer, pb::Offer>(payload);
    case FrameType::accept: return decode_as<Accept, pb::Accept>(payload);
    case FrameType::decline: return decode_as<Decline, pb::Decline>(payload);
    case FrameType::granted: return decode_as<Granted, pb::Granted>(payload);
    case FrameType::close: return decode_as<Close, pb::Close>(payload);
    case FrameType::goodbye: return decode_as<Goodbye, pb::Goodbye>(payload);
    case FrameType::renew: return decode_as<Renew, pb::Renew>(payload);
    case FrameType::renewed: return decode_as<Renewed, pb::Renewed>(payload);
    case FrameType::cancel: return decode_as<Cancel, pb::Cancel>(payload, cancel_from_pb);
    case FrameType::interrupted: return decode_as<Interrupted, pb::Interrupted>(payload);
    case FrameType::resume: return decode_as<Resume, pb::Resume>(payload);
    default: return Errc::unknown_type;
  }
}

Bytes encode(const ControlMessage& message) {
  return std::visit([](const auto& m) { return frame_of(m.type, to_pb(m)); }, message);
}

Result<Close> decode_close(ByteView payload) {
  pb::Close in;
  if (!parse(in, payload)) return Errc::malformed;
  return from_pb(in);
}
Bytes encode_bye(const Close& close) {
  return frame_of(FrameType::bye, to_pb(close));
}
Bytes encode_detach(const Close& close) {
  return frame_of(FrameType::detach, to_pb(close));
}

}  // namespace tunnel::wire
