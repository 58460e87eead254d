#include "crypto/certificate.hpp"
#include "fuzz/input.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/messages.hpp"

/// What comes from somebody without a certificate: a code as a person types it, an Enroll with its
/// CSR.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tunnel;
  fuzz::Input input{data, size};
  const auto kind = input.below(4);
  const auto bytes = input.take_rest();
  if (kind == 0) {
    const auto code = wire::EnrolmentCode::parse(as_text(bytes));
    if (!code) return 0;
    const auto again = wire::EnrolmentCode::parse(code->str());
    FUZZ_REQUIRE(again && again->server == code->server && again->secret == code->secret);
  } else if (kind == 1) {  // any bytes as a code that was typed without an error
    wire::EnrolmentCode code{.server = std::string{as_text(bytes)}};
    const auto parsed = wire::EnrolmentCode::parse(code.str());
    FUZZ_REQUIRE(!parsed || parsed->server == code.server);
  } else if (kind == 2) {
    const auto message = wire::decode_enroll(wire::FrameType::enroll, bytes);
    if (message) static_cast<void>(crypto::key_of_csr(std::get<wire::Enroll>(*message).csr));
  } else {
    const auto key = crypto::key_of_csr(bytes);
    if (key) FUZZ_REQUIRE(crypto::is_p256(key->get()));
  }
  return 0;
}
