#include "unit/wire/samples.hpp"

#include <set>

namespace tunnel::wire {
namespace {

namespace pb = ::rdv::pb;

Confirm confirm() {
  return {.grant_hash = samples::bytes32(1),
          .role = Role::master,
          .mtu_bytes = 1500,
          .alive_after_ms = 5000,
          .give_up_after_ms = 10000,
          .offloads = 0x6f,
          .mac = samples::bytes32(99)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(attach_comes_back_as_it_went_and_fits_its_frame) {
  const auto frame = encode(Attach{0xffffffffffffffff, 0xffffffff});
  const auto attach = decode_attach(samples::payload_of(frame));
  BOOST_TEST(attach.value().session == 0xffffffffffffffff);
  BOOST_TEST(attach.value().epoch == 0xffffffff);
  BOOST_TEST((decode_attach(samples::payload_of(encode(Attach{0, 1}))).error() == Errc::bad_value));
  BOOST_TEST((decode_attach(samples::payload_of(encode(Attach{1, 0}))).error() == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(confirm_comes_back_as_it_went) {
  const auto frame = encode(confirm());
  const auto decoded = decode_confirm(samples::payload_of(frame));
  BOOST_REQUIRE(decoded);
  BOOST_TEST((encode(*decoded) == frame));
  BOOST_TEST((decoded->role == Role::master && decoded->offloads == 0x6f &&
              decoded->mac == samples::bytes32(99)));
}

BOOST_AUTO_TEST_CASE(the_mac_of_confirm_covers_every_other_field) {
  const auto change = [](auto how) {
    auto changed = confirm();
    how(changed);
    return confirm_signed_bytes(changed);
  };
  const std::set<Bytes> all{change([](auto&) {}),
                            change([](auto& m) { m.grant_hash[31] = std::byte{0}; }),
                            change([](auto& m) { m.role = Role::onsite; }),
                            change([](auto& m) { m.mtu_bytes = 1400; }),
                            change([](auto& m) { m.alive_after_ms = 1; }),
                            change([](auto& m) { m.give_up_after_ms = 1; }),
                            change([](auto& m) { m.offloads = 0; })};
  BOOST_TEST(all.size() == 7U);
  BOOST_TEST((change([](auto& m) { m.mac = {}; }) == confirm_signed_bytes(confirm())));
}

BOOST_AUTO_TEST_CASE(the_limits_of_confirm_hold) {
  const auto with = [](auto how) {
    auto form = samples::pb_of<pb::Confirm>(confirm());
    how(form);
    const auto decoded = decode_confirm(samples::payload(form));
    return decoded ? boost::system::error_code{} : decoded.error();
  };
  for (const std::uint32_t mtu : {576U, 65535U})
    BOOST_TEST(!with([=](auto& m) { m.set_mtu(mtu); }));
  for (const std::uint32_t mtu : {0U, 575U, 65536U, 0xffffffffU})
    BOOST_TEST((with([=](auto& m) { m.set_mtu(mtu); }) == Errc::bad_value));
  for (const std::size_t length : {0U, 31U, 33U}) {
    BOOST_TEST((with([=](auto& m) { m.set_mac(std::string(length, 'm')); }) == Errc::bad_value));
    BOOST_TEST(
        (with([=](auto& m) { m.set_grant_hash(std::string(length, 'm')); }) == Errc::bad_value));
  }
  BOOST_TEST((with([](auto& m) { m.set_role(0); }) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(bye_and_detach_carry_a_close) {
  const Close close{7, CloseCode::unplugged, samples::text(text_chars_max)};
  for (const auto& [frame, type] :
       {std::pair{encode_bye(close), FrameType::bye}, {encode_detach(close), FrameType::detach}}) {
    BOOST_TEST((samples::type_of(frame) == type));
    const auto decoded = decode_close(samples::payload_of(frame));
    BOOST_TEST((decoded.value().session == 7 && decoded->code == CloseCode::unplugged &&
                decoded->text == close.text));
  }
}

}  // namespace tunnel::wire
