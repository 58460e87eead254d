#include "unit/wire/samples.hpp"

namespace tunnel::wire {

BOOST_AUTO_TEST_CASE(every_control_message_comes_back_as_it_went) {
  const auto messages = samples::control_messages();
  BOOST_TEST(messages.size() == std::variant_size_v<ControlMessage>);
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    BOOST_TEST(messages[kind].index() == kind);
    const auto frame = encode(messages[kind]);
    const auto decoded = decode_control(samples::type_of(frame), samples::payload_of(frame));
    BOOST_REQUIRE_MESSAGE(decoded, "message " << kind << ": " << decoded.error().message());
    BOOST_TEST(decoded->index() == kind);
    BOOST_TEST((encode(*decoded) == frame), "message " << kind);
  }
}

BOOST_AUTO_TEST_CASE(what_a_message_says_is_what_was_meant) {
  const auto round_trip = [](const auto& message) {
    const auto frame = encode(ControlMessage{message});
    return std::get<std::decay_t<decltype(message)>>(
        *decode_control(samples::type_of(frame), samples::payload_of(frame)));
  };
  const auto hello = round_trip(Hello{1, 7, samples::info()});
  BOOST_TEST(hello.version_max == 7U);
  BOOST_TEST((hello.info == samples::info()));
  const auto open =
      round_trip(Open{3, samples::name("rpi1"), Mode::l2, samples::bytes32(3), 60, true});
  BOOST_TEST(open.onsite.str() == "rpi1");
  BOOST_TEST((open.mode == Mode::l2 && open.nonce == samples::bytes32(3) && open.wait &&
              open.seconds == 60));
  const auto listing = round_trip(Listing{
      9,
      {{samples::name("r"), "s", samples::info(), "::1", true, 5, samples::name("anna"), 6}},
      true});
  BOOST_REQUIRE(listing.devices.size() == 1U);
  const auto& device = listing.devices.front();
  BOOST_TEST((device.site == "s" && device.info == samples::info() &&
              device.public_address == "::1" && device.online));
  BOOST_TEST((device.since == 5 && device.busy_with == samples::name("anna") &&
              device.busy_since == 6 && listing.last));
  const auto offer = round_trip(Offer{1, samples::name("anna"), Mode::l3, 5, std::nullopt});
  BOOST_TEST(!offer.master_lan.has_value());
}

BOOST_AUTO_TEST_CASE(fields_of_a_later_version_are_ignored) {
  for (const auto& message : samples::control_messages()) {
    const auto frame = encode(message);
    Bytes payload{samples::payload_of(frame).begin(), samples::payload_of(frame).end()};
    for (const auto* field : {"f2ff0103616263", "f8ff0105",
                              "f9ff010102030405060708"}) {  // field 4094: bytes, number, fixed64
      const auto more = from_hex(field);
      payload.insert(payload.end(), more.begin(), more.end());
    }
    const auto decoded = decode_control(samples::type_of(frame), payload);
    BOOST_REQUIRE(decoded);
    BOOST_TEST((encode(*decoded) == frame));
  }
}

BOOST_AUTO_TEST_CASE(codes_of_a_later_version_are_kept_as_numbers) {
  auto close = samples::pb_of<::rdv::pb::Close>(ControlMessage{Close{1, CloseCode::operator_, ""}});
  close.set_code(200);
  const auto decoded = decode_control(FrameType::close, samples::payload(close));
  BOOST_TEST(static_cast<int>(std::get<Close>(*decoded).code) == 200);
  auto hello = samples::pb_of<::rdv::pb::Hello>(ControlMessage{Hello{1, 1, samples::info()}});
  hello.mutable_info()->set_uplink(9);
  BOOST_TEST(
      (std::get<Hello>(*decode_control(FrameType::hello, samples::payload(hello))).info.uplink ==
       UplinkKind::unknown));
}

BOOST_AUTO_TEST_CASE(what_we_encode_the_other_end_takes_whatever_it_was_made_of) {
  Info odd = samples::info();
  odd.hostname = "bad\n\xff" + std::string(200, 'x');
  odd.software = std::string(500, 'v');
  odd.dns.resize(dns_servers_max + 3, samples::address("9.9.9.9"));
  odd.capabilities.resize(capabilities_max + 3, "\x1b" + std::string(100, 'c'));
  const std::string long_text = "\r\n" + std::string(3 * text_chars_max, 't');
  const ListedDevice device{samples::name("r"), long_text, odd, long_text, true, 5,
                            std::nullopt,       0};
  const std::vector<ControlMessage> messages{
      Hello{1, 1, odd},
      InfoUpdate{odd},
      Granted{1, {}, {}, odd},
      Listing{1, {device}, true},
      Welcome{1, 25, 0, samples::name("s"), samples::name("n"), Role::onsite, long_text},
      Waiting{1, RefusalCode::busy, long_text, 0},
      Refused{1, RefusalCode::busy, long_text},
      Decline{1, RefusalCode::busy, long_text},
      Close{1, CloseCode::kernel, long_text},
      Goodbye{GoodbyeCode::protocol, long_text, 0}};
  for (const auto& message : messages) {
    const auto frame = encode(message);
    const auto decoded = decode_control(samples::type_of(frame), samples::payload_of(frame));
    BOOST_TEST(decoded.has_value(), "message " << message.index());
  }
  for (const auto& frame : {encode_bye({1, CloseCode::kernel, long_text}),
                            encode_detach({1, CloseCode::kernel, long_text})})
    BOOST_TEST(decode_close(samples::payload_of(frame)).has_value());
  const auto refused = encode(EnrollMessage{EnrollRefused{RefusalCode::code_used, long_text}});
  BOOST_TEST(decode_enroll(FrameType::enroll_refused, samples::payload_of(refused)).has_value());
}

BOOST_AUTO_TEST_CASE(the_longest_listing_fits_its_frame) {
  Info info = samples::info();
  info.hostname = info.software = samples::text(hostname_chars_max);
  info.dns.assign(dns_servers_max, samples::address("255.255.255.255"));
  info.capabilities.assign(capabilities_max, samples::text(hostname_chars_max));
  const auto name = samples::name(std::string(device_name_chars_max, 'n'));
  const ListedDevice device{
      name, samples::text(site_chars_max), info, samples::text(address_chars_max), true, -1, name,
      -1};
  const auto frame = encode(ControlMessage{
      Listing{0xffffffff, std::vector<ListedDevice>(listing_devices_max, device), true}});
  BOOST_TEST(frame.size() <= header_bytes + control_payload_bytes_max);
  BOOST_TEST(decode_control(FrameType::listing, samples::payload_of(frame)).has_value());
}

BOOST_AUTO_TEST_CASE(only_types_of_control_are_control_messages) {
  for (int type = 0; type < 256; ++type)
    if (type == 0 || type > 0x15)
      BOOST_TEST((decode_control(static_cast<FrameType>(type), {}).error() == Errc::unknown_type),
                 "type " << type);
}

}  // namespace tunnel::wire
