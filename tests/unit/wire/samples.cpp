#include "unit/wire/samples.hpp"

#include "base/endian.hpp"

namespace tunnel::wire::samples {

Name name(std::string_view text) {
  return Name::parse(text).value();
}
Ipv4Prefix prefix(std::string_view text) {
  return Ipv4Prefix::parse(text).value();
}
Ipv4Address address(std::string_view text) {
  return Ipv4Address::parse(text).value();
}

std::array<std::byte, 32> bytes32(int first) {
  std::array<std::byte, 32> all{};
  for (auto& byte : all)
    byte = static_cast<std::byte>(first++);
  return all;
}

Bytes bytes(std::size_t count, int first) {
  Bytes all(count);
  for (auto& byte : all)
    byte = static_cast<std::byte>(first++);
  return all;
}

Info info() {
  return {.software = "rdv 0.1.0",
          .hostname = "kontor-7",
          .lan = prefix("192.168.1.10/24"),
          .dns = {address("192.168.1.1"), address("9.9.9.9")},
          .uplink = UplinkKind::wwan,
          .capabilities = {"l3", "resume"}};
}

Grant grant() {
  return {.version = 1,
          .session = 0x1122334455667788,
          .epoch = 3,
          .master = {name("anna"), bytes32(1)},
          .onsite = {name("rpi1100"), bytes32(50)},
          .system = name("rdv"),
          .mode = Mode::l3,
          .allow = {{prefix("0.0.0.0/0"), 0, 0, 0}, {prefix("192.168.1.0/24"), 6, 80, 65535}},
          .seconds = session_seconds_max,
          .features = 0x8000000000000001,
          .master_nonce = bytes32(100),
          .onsite_nonce = bytes32(150),
          .server_time = 1'768'000'000,
          .tunnel = {{tunnel_pool + 8}, 30},
          .dns = {address("192.168.1.1")},
          .deny = {address("203.0.113.7"), address("203.0.113.8")}};
}

std::vector<ControlMessage> control_messages() {
  const ListedDevice plain{name("rpi1"), "", {}, "", false, 0, std::nullopt, 0};
  const ListedDevice full{
      name("rpi2"), "Zürich, Halle 3", info(), "198.51.100.7", true, 5, name("anna"), 6};
  return {Hello{1, 7, info(), {1, 0xfedcba9876543210}},
          Welcome{1, 300, -5, name("rdv"), name("rpi1"), Role::master, "198.51.100.7"},
          Ping{0xffffffffffffffff},
          Pong{1},
          InfoUpdate{info()},
          List{9},
          Listing{9, {plain, full}, false},
          Open{0xffffffff, name("rpi1"), Mode::l2, bytes32(3), session_seconds_max, true},
          Waiting{9, RefusalCode::busy, "anna is on it", 77},
          Refused{9, RefusalCode::server_trouble, "the server's disk is full"},
          Offer{1, name("anna"), Mode::l3, session_seconds_max, prefix("192.168.1.9/24")},
          Accept{0xffffffffffffffff, bytes32(9)},
          Decline{1, RefusalCode::declined, "the customer does not want it"},
          Granted{9, bytes(300), bytes(signature_bytes_max), info()},
          Close{1, CloseCode::integrity, "record 7"},
          Goodbye{GoodbyeCode::overloaded, "too many", 30'000},
          Renew{bytes(csr_bytes_max)},
          Renewed{bytes(certificate_bytes_max)},
          Cancel{9},
          Interrupted{0xfedcba9876543210, 2},
          Resume{0xfedcba9876543210, 2, bytes32(9)}};
}

std::vector<EnrollMessage> enroll_messages() {
  Enroll enroll{
      .secret = {}, .csr = bytes(csr_bytes_max), .hostname = "kontor-7", .software = "rdv 0.1.0"};
  enroll.secret.fill(std::byte{7});
  return {enroll,
          Enrolled{bytes(certificate_bytes_max), bytes(certificate_bytes_max),
                   bytes(certificate_bytes_max), name("rdv"), name("rpi1"), Role::onsite},
          EnrollRefused{RefusalCode::code_expired, "the code was good until yesterday"}};
}

ByteView payload_of(ByteView frame) {
  BOOST_REQUIRE(frame.size() >= header_bytes);
  const auto payload = frame.subspan(header_bytes);
  BOOST_REQUIRE(load_big_endian24(frame.subspan<1, 3>()) == payload.size());
  return payload;
}

FrameType type_of(ByteView frame) {
  return static_cast<FrameType>(frame[0]);
}

std::string text(std::size_t count) {
  BOOST_REQUIRE(count >= 2);
  return std::string(count - 2, 'a') + "\xc3\xbc";
}

}  // namespace tunnel::wire::samples
