#include "unit/wire/samples.hpp"

namespace tunnel::wire {
namespace {

namespace pb = ::rdv::pb;

template <class Pb>
boost::system::error_code refused(FrameType type, const Pb& form) {
  const auto decoded = decode_enroll(type, samples::payload(form));
  return decoded ? boost::system::error_code{} : decoded.error();
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_enrolment_message_comes_back_as_it_went) {
  const auto messages = samples::enroll_messages();
  BOOST_TEST(messages.size() == std::variant_size_v<EnrollMessage>);
  for (std::size_t kind = 0; kind < messages.size(); ++kind) {
    const auto frame = encode(messages[kind]);
    const auto decoded = decode_enroll(samples::type_of(frame), samples::payload_of(frame));
    BOOST_REQUIRE(decoded);
    BOOST_TEST(decoded->index() == kind);
    BOOST_TEST((encode(*decoded) == frame));
  }
}

BOOST_AUTO_TEST_CASE(the_limits_of_enroll_hold) {
  const auto good = samples::pb_of<pb::Enroll>(samples::enroll_messages()[0]);
  const auto with = [&](auto change) {
    auto form = good;
    change(form);
    return refused(FrameType::enroll, form);
  };
  for (const std::size_t length :
       {std::size_t{0}, enrolment_secret_bytes - 1, enrolment_secret_bytes + 1})
    BOOST_TEST((with([&](auto& m) { m.set_secret(std::string(length, 's')); }) == Errc::bad_value));
  BOOST_TEST(
      (with([](auto& m) { m.set_csr(std::string(csr_bytes_max + 1, 'c')); }) == Errc::bad_value));
  BOOST_TEST((with([](auto& m) { m.clear_csr(); }) == Errc::bad_value));
  BOOST_TEST(!with([](auto& m) { m.set_hostname(samples::text(hostname_chars_max)); }));
  BOOST_TEST((with([](auto& m) { m.set_hostname(samples::text(hostname_chars_max + 1)); }) ==
              Errc::bad_value));
  BOOST_TEST((with([](auto& m) { m.set_software(samples::text(hostname_chars_max + 1)); }) ==
              Errc::bad_value));
  BOOST_TEST((with([](auto& m) { m.set_software("\n"); }) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(the_limits_of_enrolled_and_its_refusal_hold) {
  const auto good = samples::pb_of<pb::Enrolled>(samples::enroll_messages()[1]);
  const auto with = [&](auto change) {
    auto form = good;
    change(form);
    return refused(FrameType::enrolled, form);
  };
  const std::string long_pem(certificate_bytes_max + 1, 'p');
  BOOST_TEST((with([&](auto& m) { m.set_certificate(long_pem); }) == Errc::bad_value));
  BOOST_TEST((with([&](auto& m) { m.set_ca(long_pem); }) == Errc::bad_value));
  BOOST_TEST((with([&](auto& m) { m.set_grant_key(long_pem); }) == Errc::bad_value));
  BOOST_TEST((with([](auto& m) { m.set_role(3); }) == Errc::bad_value));
  BOOST_TEST((with([](auto& m) { m.set_name("../../etc/passwd"); }) == Errc::bad_name));
  BOOST_TEST((with([](auto& m) { m.set_system(""); }) == Errc::bad_name));
  pb::Refused refusal;
  BOOST_TEST((refused(FrameType::enroll_refused, refusal) == Errc::bad_value));
  refusal.set_code(22);
  refusal.set_text(samples::text(text_chars_max + 1));
  BOOST_TEST((refused(FrameType::enroll_refused, refusal) == Errc::bad_value));
}

BOOST_AUTO_TEST_CASE(only_types_of_enrolment_are_enrolment_messages) {
  for (int type = 0; type < 256; ++type)
    if (type < 0x20 || type > 0x22)
      BOOST_TEST((decode_enroll(static_cast<FrameType>(type), {}).error() == Errc::unknown_type));
}

}  // namespace tunnel::wire
