#pragma once
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/ipv4.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/names.hpp"
#include "wire/reasons.hpp"

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The messages as checked values: what decode() gives has passed every limit and rule of
/// limits.hpp, names are names, texts are plain, prefixes are valid. Numbers that a later version
/// may add are kept as they came.
namespace tunnel::wire {

using Nonce = std::array<std::byte, nonce_bytes>;
using Hash = std::array<std::byte, hash_bytes>;

enum class UplinkKind : std::uint8_t { unknown = 0, lan = 1, wlan = 2, wwan = 3 };
std::string_view to_string(UplinkKind kind);
UplinkKind parse_uplink_kind(std::string_view text);

enum class Mode : std::uint8_t { l3 = 3, l2 = 2 };
std::string_view to_string(Mode mode);
/// @param text  "L3" or "L2"
std::optional<Mode> parse_mode(std::string_view text);

/// What a device tells of itself.
struct Info {
  std::string software;
  std::string hostname;
  std::optional<Ipv4Prefix> lan;  ///< its address on its LAN, with host bits
  std::vector<Ipv4Address> dns;
  UplinkKind uplink = UplinkKind::unknown;
  std::vector<std::string> capabilities;
  bool operator==(const Info&) const = default;
};

struct Hello {
  static constexpr auto type = FrameType::hello;
  std::uint32_t version_min = wire::version_min;
  std::uint32_t version_max = wire::version_max;
  Info info;
  /// Those this device still holds: the server closes what is over, and ends what is not named.
  std::vector<std::uint64_t> sessions = {};
};
struct Welcome {
  static constexpr auto type = FrameType::welcome;
  std::uint32_t version = version_max;
  std::uint32_t ping_after_seconds = 25;  ///< silence on control after which the device asks
  UnixSeconds server_time = 0;
  Name system, name;
  Role role;
  std::string public_address;  ///< of the device, as the server sees it
};
struct Ping {
  static constexpr auto type = FrameType::ping;
  std::uint64_t token = 0;
};
struct Pong {
  static constexpr auto type = FrameType::pong;
  std::uint64_t token = 0;
};
/// The device's facts changed.
struct InfoUpdate {
  static constexpr auto type = FrameType::info;
  Info info;
};
struct List {
  static constexpr auto type = FrameType::list;
  std::uint32_t request = 0;
};
struct ListedDevice {
  Name name;
  std::string site;
  Info info;
  std::string public_address;
  bool online = false;
  UnixSeconds since = 0;  ///< online or offline since; 0: never seen
  std::optional<Name> busy_with;
  UnixSeconds busy_since = 0;
};
struct Listing {
  static constexpr auto type = FrameType::listing;
  std::uint32_t request = 0;
  std::vector<ListedDevice> devices;  ///< at most listing_devices_max; more follow unless `last`
  bool last = true;
};
struct Open {
  static constexpr auto type = FrameType::open;
  std::uint32_t request = 0;  ///< chosen by the master, unique on its connection, not 0
  Name onsite;
  Mode mode = Mode::l3;
  Nonce nonce{};
  std::uint32_t seconds = 0;  ///< 0: as long as the server allows
  bool wait = true;           ///< while it is offline
};
struct Waiting {
  static constexpr auto type = FrameType::waiting;
  std::uint32_t request = 0;
  RefusalCode code = RefusalCode::offline;
  std::string text;
  UnixSeconds since = 0;
};
struct Refused {
  static constexpr auto type = FrameType::refused;
  std::uint32_t request = 0;
  RefusalCode code = RefusalCode::not_allowed;
  std::string text;
};
struct Offer {
  static constexpr auto type = FrameType::offer;
  std::uint64_t session = 0;
  Name master;
  Mode mode = Mode::l3;
  std::uint32_t seconds = 0;
  std::optional<Ipv4Prefix> master_lan;
};
struct Accept {
  static constexpr auto type = FrameType::accept;
  std::uint64_t session = 0;
  Nonce nonce{};
};
struct Decline {
  static constexpr auto type = FrameType::decline;
  std::uint64_t session = 0;
  RefusalCode code = RefusalCode::declined;
  std::string text;
};
struct Granted {
  static constexpr auto type = FrameType::granted;
  std::uint32_t request = 0;  ///< master: its Open; onsite, and after Resume: 0
  Bytes grant;                ///< exact signed bytes (wire/grant.hpp)
  Bytes signature;            ///< ECDSA P-256 with SHA-256, DER, by the server's grant key
  Info peer;                  ///< what the other end told of itself
};
struct Close {
  static constexpr auto type = FrameType::close;
  std::uint64_t session = 0;
  CloseCode code = CloseCode::operator_;
  std::string text;
};
struct Goodbye {
  static constexpr auto type = FrameType::goodbye;
  GoodbyeCode code = GoodbyeCode::shutting_down;
  std::string text;
  std::uint32_t retry_after_ms = 0;
};
struct Renew {
  static constexpr auto type = FrameType::renew;
  Bytes csr;  ///< DER
};
struct Renewed {
  static constexpr auto type = FrameType::renewed;
  Bytes certificate;  ///< PEM
};
/// The master no longer waits for its Open.
struct Cancel {
  static constexpr auto type = FrameType::cancel;
  std::uint32_t request = 0;
};
/// The session's leg is gone at the other end, or at the server: give up yours, if it is of an
/// older epoch, and ask with Resume.
struct Interrupted {
  static constexpr auto type = FrameType::interrupted;
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;  ///< the one to come
};
/// The device's leg is gone and it wants a new one; answered by Granted when the other end wants
/// it too, or by Close.
struct Resume {
  static constexpr auto type = FrameType::resume;
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;  ///< not 0; the grant must have this one or a newer
  Nonce nonce{};
};

using ControlMessage = std::variant<Hello, Welcome, Ping, Pong, InfoUpdate, List, Listing, Open,
                                    Waiting, Refused, Offer, Accept, Decline, Granted, Close,
                                    Goodbye, Renew, Renewed, Cancel, Interrupted, Resume>;

/// @retval Errc::malformed, Errc::bad_name, Errc::bad_value, Errc::unknown_type  close the
/// connection
Result<ControlMessage> decode_control(FrameType type, ByteView payload);
/// A whole frame, header included.
Bytes encode(const ControlMessage& message);

struct Enroll {
  static constexpr auto type = FrameType::enroll;
  std::array<std::byte, enrolment_secret_bytes> secret{};
  Bytes csr;  ///< DER; only its key and its signature count
  std::string hostname;
  std::string software;
};
struct Enrolled {
  static constexpr auto type = FrameType::enrolled;
  Bytes certificate;  ///< PEM
  Bytes ca;           ///< PEM
  Bytes grant_key;    ///< PEM, public
  Name system, name;
  Role role;
};
struct EnrollRefused {
  static constexpr auto type = FrameType::enroll_refused;
  RefusalCode code = RefusalCode::not_allowed;
  std::string text;
};
using EnrollMessage = std::variant<Enroll, Enrolled, EnrollRefused>;
Result<EnrollMessage> decode_enroll(FrameType type, ByteView payload);
Bytes encode(const EnrollMessage& message);

struct Attach {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
};
Result<Attach> decode_attach(ByteView payload);
Bytes encode(const Attach& attach);  ///< a whole frame

/// Inside the inner TLS: nothing else counts before both ends have one (DESIGN 4, step 3).
struct Confirm {
  Hash grant_hash{};  ///< SHA-256 of the grant's exact bytes
  Role role = Role::onsite;
  std::uint32_t mtu_bytes = tunnel_mtu_bytes;
  std::uint32_t alive_after_ms = 0;
  std::uint32_t give_up_after_ms = 0;
  std::uint32_t offloads = 0;  ///< TUN_F_* bits the sender's TUN takes (linux/if_tun.h)
  Hash mac{};                  ///< HMAC-SHA-256 with an exporter key over the fields before it
  /// Resumed: the last leg on which packets came, and how far (as wire::Ack). 0: none.
  std::uint32_t previous_epoch = 0;
  std::uint64_t previous_received_bytes = 0;
};
Result<Confirm> decode_confirm(ByteView payload);
Bytes encode(const Confirm& confirm);                ///< a whole frame
Bytes confirm_signed_bytes(const Confirm& confirm);  ///< what `mac` covers

/// The payload of FrameType::bye and FrameType::detach.
Result<Close> decode_close(ByteView payload);
Bytes encode_bye(const Close& close);     ///< a whole frame
Bytes encode_detach(const Close& close);  ///< a whole frame

}  // namespace tunnel::wire
