#include "agent/session_note.hpp"

#include "base/endian.hpp"
#include "wire/grant.hpp"

#include <concepts>

namespace device {

namespace core = tunnel::core;
using tunnel::Bytes;
using tunnel::ByteView;
using tunnel::Clock;

namespace {

constexpr std::uint8_t version = 2;
constexpr std::uint8_t version_without_mode = 1;

class Writer {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    std::byte bytes[sizeof(T)];
    tunnel::store_big_endian<T>(bytes, value);
    for (const auto byte : bytes)
      out_.push_back(std::to_integer<std::uint8_t>(byte));
  }
  void bytes(ByteView bytes) {
    number(static_cast<std::uint32_t>(bytes.size()));
    for (const auto byte : bytes)
      out_.push_back(std::to_integer<std::uint8_t>(byte));
  }
  void time(Clock::time_point time) {
    number(static_cast<std::uint64_t>(time.time_since_epoch().count()));
  }
  std::vector<std::uint8_t> take() { return std::move(out_); }

 private:
  std::vector<std::uint8_t> out_;
};

/// Once something is missing, everything that follows is empty and is_whole() false.
class Reader {
 public:
  explicit Reader(ByteView in) : in_{in} {}

  template <std::unsigned_integral T>
  T number() {
    const auto bytes = take(sizeof(T));
    return bytes.empty() ? T{} : tunnel::load_big_endian<T>(bytes);
  }
  Bytes bytes() {
    const auto view = take(number<std::uint32_t>());
    return {view.begin(), view.end()};
  }
  Clock::time_point time() {
    return Clock::time_point{Clock::duration{static_cast<Clock::rep>(number<std::uint64_t>())}};
  }
  /// All of it was there, and nothing else.
  bool is_whole() const { return whole_ && in_.empty(); }
  bool has_failed() const { return !whole_; }

 private:
  ByteView take(std::size_t count) {
    if (count > in_.size()) {
      whole_ = false;
      in_ = {};
      return {};
    }
    const auto taken = in_.first(count);
    in_ = in_.subspan(count);
    return taken;
  }

  ByteView in_;
  bool whole_ = true;
};

}  // namespace

std::vector<std::uint8_t> encode_note(const SessionNote& note) {
  Writer out;
  out.number(version);
  out.bytes(tunnel::as_bytes(note.owner));
  out.number(static_cast<std::uint64_t>(note.since));
  out.time(note.established);
  out.time(note.ends);
  out.bytes(note.grant);
  out.bytes(note.signature);
  out.number(static_cast<std::uint32_t>(note.deny.size()));
  for (const auto& address : note.deny)
    out.number(address.value);
  out.number(static_cast<std::uint8_t>(note.back ? *note.back : wire::Mode{}));
  out.time(note.confirm_until);
  return out.take();
}

std::optional<SessionNote> decode_note(const std::vector<std::uint8_t>& bytes) {
  Reader in{std::as_bytes(std::span{bytes})};
  const auto written = in.number<std::uint8_t>();
  if (written != version && written != version_without_mode) return std::nullopt;
  SessionNote note;
  note.owner = tunnel::as_text(in.bytes());
  note.since = static_cast<tunnel::UnixSeconds>(in.number<std::uint64_t>());
  note.established = in.time();
  note.ends = in.time();
  note.grant = in.bytes();
  note.signature = in.bytes();
  for (auto count = in.number<std::uint32_t>(); count > 0 && !in.has_failed(); --count)
    note.deny.push_back({in.number<std::uint32_t>()});
  if (written == version) {
    const auto back = static_cast<wire::Mode>(in.number<std::uint8_t>());
    if (back == wire::Mode::l3 || back == wire::Mode::l2) note.back = back;
    note.confirm_until = in.time();
  }
  return in.is_whole() ? std::optional{std::move(note)} : std::nullopt;
}

std::optional<core::DeviceSession::Kept> check_note(const SessionNote& note, std::uint64_t session,
                                                    const core::DeviceIdentity& self,
                                                    const core::DeviceTools& tools) {
  if (!tools.is_signed(note.grant, note.signature)) return std::nullopt;
  auto grant = wire::decode_grant(note.grant);
  if (!grant || grant->session != session) return std::nullopt;
  const auto role = self.identity.role;
  const auto checked = wire::check_grant(
      *grant, {.role = role,
               .system = self.identity.system,
               .name = self.identity.name,
               .key_hash = self.key_hash,
               // Fresh when the grant came: that was checked then.
               .nonce = role == wire::Role::master ? grant->master_nonce : grant->onsite_nonce,
               .session = session,
               .mode = grant->mode,
               .peer = std::nullopt,
               .own_networks = {}});
  if (!checked) return std::nullopt;
  return core::DeviceSession::Kept{std::move(*grant), note.ends};
}

}  // namespace device
