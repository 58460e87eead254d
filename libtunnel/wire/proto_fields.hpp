#pragma once
#include "rdv.pb.h"
#include "wire/messages.hpp"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

/// Fields that several messages share, between protobuf's classes and ours. Only wire/*.cpp include
/// this.
namespace tunnel::wire::proto {

namespace pb = ::rdv::pb;

/// protobuf writes what it dislikes about a peer's bytes to standard error, as often as the peer
/// wants: keep it silent.
inline void silence_protobuf() {
  static auto* const before = ::google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(before);
}

template <class Pb>
bool parse(Pb& out, ByteView payload) {
  silence_protobuf();
  return out.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
}

template <class Pb>
Bytes frame_of(FrameType type, const Pb& message) {
  return encode_frame(type, as_bytes(message.SerializeAsString()));
}

inline void put(std::string& out, ByteView bytes) {
  out.assign(as_text(bytes));
}
/// A sentence for a person, made such that the other end takes it.
inline std::string sendable_text(std::string_view text) {
  return to_plain_text(text, text_chars_max);
}

template <std::size_t N>
std::optional<std::array<std::byte, N>> take_array(const std::string& in) {
  if (in.size() != N) return std::nullopt;
  std::array<std::byte, N> out;
  std::memcpy(out.data(), in.data(), N);
  return out;
}

inline void put(pb::Prefix& out, const Ipv4Prefix& prefix) {
  out.set_address(prefix.address.value);
  out.set_length(prefix.length);
}
inline Result<Ipv4Prefix> take_prefix(const pb::Prefix& in) {
  if (in.length() > 32) return Errc::bad_value;
  return Ipv4Prefix{{in.address()}, static_cast<std::uint8_t>(in.length())};
}

/// A code of a later version is kept as a number: its sentence says that it is not known here.
template <class Code>
std::optional<Code> take_code(std::uint32_t number) {
  if (number == 0 || number > 0xff) return std::nullopt;
  return static_cast<Code>(number);
}
inline Result<Role> take_role(std::uint32_t number) {
  if (number != 1 && number != 2) return Errc::bad_value;
  return static_cast<Role>(number);
}
inline std::optional<Mode> take_mode(std::uint32_t number) {
  if (number != 2 && number != 3) return std::nullopt;
  return static_cast<Mode>(number);
}
inline Result<std::optional<Name>> take_optional_name(const std::string& text) {
  if (text.empty()) return std::optional<Name>{};
  const auto name = Name::parse(text);
  if (!name) return name.error();
  return std::optional{*name};
}

/// Cut to what take_info() takes: a device with five DNS servers is not one that the server refuses
/// for ever.
inline void put(pb::Info& out, const Info& info) {
  out.set_software(to_plain_text(info.software, hostname_chars_max));
  out.set_hostname(to_plain_text(info.hostname, hostname_chars_max));
  if (info.lan) put(*out.mutable_lan(), *info.lan);
  for (const auto server : std::span{info.dns}.first(std::min(info.dns.size(), dns_servers_max)))
    out.add_dns(server.value);
  out.set_uplink(static_cast<std::uint32_t>(info.uplink));
  for (const auto& word :
       std::span{info.capabilities}.first(std::min(info.capabilities.size(), capabilities_max)))
    out.add_capabilities(to_plain_text(word, hostname_chars_max));
}
inline Result<Info> take_info(const pb::Info& in) {
  const bool texts_fit = is_plain_text(in.software(), hostname_chars_max) &&
                         is_plain_text(in.hostname(), hostname_chars_max);
  const bool counts_fit = static_cast<std::size_t>(in.dns_size()) <= dns_servers_max &&
                          static_cast<std::size_t>(in.capabilities_size()) <= capabilities_max;
  if (!texts_fit || !counts_fit) return Errc::bad_value;
  Info info{.software = in.software(), .hostname = in.hostname()};
  if (in.has_lan()) {
    const auto lan = take_prefix(in.lan());
    if (!lan) return lan.error();
    info.lan = *lan;
  }
  for (const auto server : in.dns())
    info.dns.push_back({server});
  info.uplink = in.uplink() <= 3 ? static_cast<UplinkKind>(in.uplink()) : UplinkKind::unknown;
  for (const auto& word : in.capabilities()) {
    if (!is_plain_text(word, hostname_chars_max)) return Errc::bad_value;
    info.capabilities.push_back(word);
  }
  return info;
}

}  // namespace tunnel::wire::proto
