#include "unit/wire/samples.hpp"

#include <functional>

namespace tunnel::wire {
namespace {

namespace pb = ::rdv::pb;
using samples::text;

/// Takes the sample of Message, changes its protobuf form, and says what decode makes of it.
template <class Message, class Pb>
boost::system::error_code changed(const std::function<void(Pb&)>& change) {
  for (const auto& message : samples::control_messages()) {
    if (!std::holds_alternative<Message>(message)) continue;
    auto form = samples::pb_of<Pb>(message);
    change(form);
    const auto decoded = decode_control(Message::type, samples::payload(form));
    return decoded ? boost::system::error_code{} : decoded.error();
  }
  return Errc::unexpected;
}

template <class Message, class Pb>
void expect(boost::system::error_code wanted, const char* what,
            const std::function<void(Pb&)>& change) {
  const auto got = changed<Message, Pb>(change);
  BOOST_TEST((got == wanted), what << ": " << got.message());
}

const boost::system::error_code taken{};

}  // namespace

BOOST_AUTO_TEST_CASE(the_limits_of_what_a_device_tells_of_itself_hold) {
  using H = pb::Hello;
  const auto info = [](boost::system::error_code wanted, const char* what,
                       const std::function<void(pb::Info&)>& change) {
    expect<Hello, H>(wanted, what, [&](H& m) { change(*m.mutable_info()); });
    expect<InfoUpdate, H>(wanted, what, [&](H& m) { change(*m.mutable_info()); });
    expect<Granted, pb::Granted>(wanted, what, [&](pb::Granted& m) { change(*m.mutable_peer()); });
    expect<Listing, pb::Listing>(
        wanted, what, [&](pb::Listing& m) { change(*m.mutable_devices(1)->mutable_info()); });
  };
  info(taken, "software", [](auto& i) { i.set_software(text(hostname_chars_max)); });
  info(Errc::bad_value, "software+1",
       [](auto& i) { i.set_software(text(hostname_chars_max + 1)); });
  info(Errc::bad_value, "software control", [](auto& i) { i.set_software("a\nb"); });
  info(taken, "hostname", [](auto& i) { i.set_hostname(text(hostname_chars_max)); });
  info(Errc::bad_value, "hostname+1",
       [](auto& i) { i.set_hostname(text(hostname_chars_max + 1)); });
  info(Errc::bad_value, "hostname control", [](auto& i) { i.set_hostname("\x1b[2J"); });
  info(Errc::bad_value, "hostname C1", [](auto& i) { i.set_hostname("\xc2\x9b"); });
  info(taken, "prefix 32", [](auto& i) { i.mutable_lan()->set_length(32); });
  info(Errc::bad_value, "prefix 33", [](auto& i) { i.mutable_lan()->set_length(33); });
  info(Errc::bad_value, "prefix 2^32-1", [](auto& i) { i.mutable_lan()->set_length(0xffffffff); });
  info(taken, "no lan", [](auto& i) { i.clear_lan(); });
  const auto dns = [](std::size_t n) {
    return [n](pb::Info& i) {
      while (static_cast<std::size_t>(i.dns_size()) < n)
        i.add_dns(1);
    };
  };
  info(taken, "dns", dns(dns_servers_max));
  info(Errc::bad_value, "dns+1", dns(dns_servers_max + 1));
  const auto words = [](std::size_t n) {
    return [n](pb::Info& i) {
      while (static_cast<std::size_t>(i.capabilities_size()) < n)
        i.add_capabilities("x");
    };
  };
  info(taken, "capabilities", words(capabilities_max));
  info(Errc::bad_value, "capabilities+1", words(capabilities_max + 1));
  info(Errc::bad_value, "capability+1",
       [](auto& i) { i.add_capabilities(text(hostname_chars_max + 1)); });
}

BOOST_AUTO_TEST_CASE(hello_names_a_range_of_versions) {
  const auto versions = [](std::uint32_t low, std::uint32_t high) {
    return changed<Hello, pb::Hello>(
        [=](auto& m) { m.set_version_min(low), m.set_version_max(high); });
  };
  BOOST_TEST((versions(1, 1) == taken));
  BOOST_TEST((versions(5, 0xffffffff) == taken));  // the server says which it takes
  BOOST_TEST((versions(0, 1) == Errc::bad_value));
  BOOST_TEST((versions(2, 1) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(the_limits_of_welcome_hold) {
  using W = pb::Welcome;
  expect<Welcome, W>(Errc::unsupported_version, "version 0", [](W& m) { m.set_version(0); });
  expect<Welcome, W>(Errc::unsupported_version, "version 2",
                     [](W& m) { m.set_version(version_max + 1); });
  expect<Welcome, W>(taken, "ping after 1 s", [](W& m) { m.set_ping_after_seconds(1); });
  expect<Welcome, W>(Errc::bad_value, "ping after 0 s", [](W& m) { m.set_ping_after_seconds(0); });
  expect<Welcome, W>(Errc::bad_value, "ping after 301 s",
                     [](W& m) { m.set_ping_after_seconds(301); });
  expect<Welcome, W>(Errc::bad_value, "ping after 2^32-1 s",
                     [](W& m) { m.set_ping_after_seconds(0xffffffff); });
  expect<Welcome, W>(Errc::bad_name, "system", [](W& m) { m.set_system("A"); });
  expect<Welcome, W>(Errc::bad_name, "name", [](W& m) { m.set_name(""); });
  for (const std::uint32_t role : {0U, 3U, 257U, 0xffffffffU})
    expect<Welcome, W>(Errc::bad_value, "role", [=](W& m) { m.set_role(role); });
  expect<Welcome, W>(taken, "address", [](W& m) { m.set_public_address(text(address_chars_max)); });
  expect<Welcome, W>(Errc::bad_value, "address+1",
                     [](W& m) { m.set_public_address(text(address_chars_max + 1)); });
}

BOOST_AUTO_TEST_CASE(the_limits_of_listing_hold) {
  using L = pb::Listing;
  const auto count = [](std::size_t n) {
    return [n](L& m) {
      m.clear_devices();
      for (std::size_t i = 0; i < n; ++i)
        m.add_devices()->set_name("a");
    };
  };
  expect<Listing, L>(taken, "none", count(0));
  expect<Listing, L>(taken, "max", count(listing_devices_max));
  expect<Listing, L>(Errc::bad_value, "max+1", count(listing_devices_max + 1));
  expect<Listing, L>(Errc::bad_name, "name", [](L& m) { m.mutable_devices(0)->set_name("-"); });
  expect<Listing, L>(Errc::bad_name, "busy with",
                     [](L& m) { m.mutable_devices(0)->set_busy_with("A"); });
  expect<Listing, L>(taken, "site",
                     [](L& m) { m.mutable_devices(0)->set_site(text(site_chars_max)); });
  expect<Listing, L>(Errc::bad_value, "site+1",
                     [](L& m) { m.mutable_devices(0)->set_site(text(site_chars_max + 1)); });
  expect<Listing, L>(Errc::bad_value, "address+1", [](L& m) {
    m.mutable_devices(0)->set_public_address(text(address_chars_max + 1));
  });
}

BOOST_AUTO_TEST_CASE(the_limits_of_open_and_offer_hold) {
  using O = pb::Open;
  expect<Open, O>(Errc::bad_value, "request 0", [](O& m) { m.set_request(0); });
  expect<Open, O>(Errc::bad_name, "onsite", [](O& m) { m.set_onsite("a_b"); });
  for (const std::uint32_t mode : {0U, 1U, 4U, 258U, 259U, 0xffffffffU}) {
    expect<Open, O>(Errc::bad_value, "mode", [=](O& m) { m.set_mode(mode); });
    expect<Offer, pb::Offer>(Errc::bad_value, "mode", [=](pb::Offer& m) { m.set_mode(mode); });
  }
  for (const std::size_t length : {nonce_bytes - 1, nonce_bytes + 1, std::size_t{0}}) {
    expect<Open, O>(Errc::bad_value, "nonce", [=](O& m) { m.set_nonce(std::string(length, 'n')); });
    expect<Accept, pb::Accept>(Errc::bad_value, "nonce",
                               [=](pb::Accept& m) { m.set_nonce(std::string(length, 'n')); });
  }
  expect<Open, O>(Errc::bad_value, "seconds+1",
                  [](O& m) { m.set_seconds(session_seconds_max + 1); });
  expect<Offer, pb::Offer>(Errc::bad_value, "seconds+1",
                           [](pb::Offer& m) { m.set_seconds(session_seconds_max + 1); });
  expect<Offer, pb::Offer>(Errc::bad_value, "session 0", [](pb::Offer& m) { m.set_session(0); });
  expect<Offer, pb::Offer>(Errc::bad_name, "master", [](pb::Offer& m) { m.set_master("A"); });
  expect<Offer, pb::Offer>(Errc::bad_value, "lan",
                           [](pb::Offer& m) { m.mutable_master_lan()->set_length(33); });
  expect<Accept, pb::Accept>(Errc::bad_value, "session 0", [](pb::Accept& m) { m.set_session(0); });
  expect<Decline, pb::Decline>(Errc::bad_value, "session 0",
                               [](pb::Decline& m) { m.set_session(0); });
}

BOOST_AUTO_TEST_CASE(codes_are_numbers_of_1_to_255_and_sentences_have_a_limit) {
  const auto check = []<class Message, class Pb>(std::type_identity<Message>,
                                                 std::type_identity<Pb>) {
    for (const std::uint32_t code : {0U, 256U, 0xffffffffU})
      expect<Message, Pb>(Errc::bad_value, "code", [=](Pb& m) { m.set_code(code); });
    expect<Message, Pb>(taken, "code 255", [](Pb& m) { m.set_code(255); });
    expect<Message, Pb>(taken, "text", [](Pb& m) { m.set_text(text(text_chars_max)); });
    expect<Message, Pb>(Errc::bad_value, "text+1",
                        [](Pb& m) { m.set_text(text(text_chars_max + 1)); });
    expect<Message, Pb>(Errc::bad_value, "text control", [](Pb& m) { m.set_text("a\x1b[2J"); });
  };
  check(std::type_identity<Waiting>{}, std::type_identity<pb::Waiting>{});
  check(std::type_identity<Refused>{}, std::type_identity<pb::Refused>{});
  check(std::type_identity<Decline>{}, std::type_identity<pb::Decline>{});
  check(std::type_identity<Close>{}, std::type_identity<pb::Close>{});
  check(std::type_identity<Goodbye>{}, std::type_identity<pb::Goodbye>{});
}

BOOST_AUTO_TEST_CASE(the_limits_of_keys_and_certificates_hold) {
  const auto filled = [](std::size_t length) { return std::string(length, 'x'); };
  expect<Granted, pb::Granted>(Errc::bad_value, "signature+1",
                               [&](auto& m) { m.set_signature(filled(signature_bytes_max + 1)); });
  expect<Renew, pb::Renew>(Errc::bad_value, "csr+1",
                           [&](auto& m) { m.set_csr(filled(csr_bytes_max + 1)); });
  expect<Renew, pb::Renew>(Errc::bad_value, "no csr", [](auto& m) { m.clear_csr(); });
  expect<Renewed, pb::Renewed>(Errc::bad_value, "certificate+1", [&](auto& m) {
    m.set_certificate(filled(certificate_bytes_max + 1));
  });
  expect<Renewed, pb::Renewed>(Errc::bad_value, "no certificate",
                               [](auto& m) { m.clear_certificate(); });
}

BOOST_AUTO_TEST_CASE(broken_utf8_is_no_text) {
  // Set past protobuf's own check of what it serialises: Refused{text = "\xff"}.
  BOOST_TEST(
      (decode_control(FrameType::refused, from_hex("080110011a01ff")).error() == Errc::malformed));
}

}  // namespace tunnel::wire
