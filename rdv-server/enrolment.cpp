#include "enrolment.hpp"

#include "crypto/hash.hpp"
#include "utc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rdv {

using tunnel::UnixSeconds;
using tunnel::wire::EnrollRefused;
using tunnel::wire::Name;
using tunnel::wire::RefusalCode;

namespace crypto = tunnel::crypto;
namespace wire = tunnel::wire;

namespace {

constexpr char ask_for_a_new_one[] =
    "ask the administrator for a new one (rdvctl device code NAME)";

/// Why an attempt got no certificate, and of which device it was the code.
struct Refusal {
  EnrollRefused reply;
  std::string device{};
};

Refusal refusal_of(const CodeUnknown&) {
  return {{RefusalCode::code_unknown,
           fmt::format("this server does not know the enrolment code; {}", ask_for_a_new_one)}};
}
Refusal refusal_of(const CodeUsed& used) {
  return {{RefusalCode::code_used,
           fmt::format("the enrolment code of {} was used already at {}; {}", used.device.str(),
                       format_utc(used.when), ask_for_a_new_one)},
          used.device.str()};
}
Refusal refusal_of(const CodeExpired& expired) {
  return {{RefusalCode::code_expired,
           fmt::format("the enrolment code of {} {} at {}; {}", expired.device.str(),
                       expired.replaced ? "was replaced by a newer one" : "expired",
                       format_utc(expired.when),
                       expired.replaced ? "use the newest" : ask_for_a_new_one)},
          expired.device.str()};
}
Refusal refusal_of(const CodeOfRevoked& revoked) {
  return {{RefusalCode::revoked,
           fmt::format("{} was revoked at {}; to use the name again, the administrator removes it "
                       "(rdvctl device remove) and adds it anew",
                       revoked.device.str(), format_utc(revoked.when))},
          revoked.device.str()};
}
Refusal refusal_of(const CodeAccepted&) {
  return {};
}  // not asked for
Refusal refusal_of(const KeyTaken& taken) {
  return {{RefusalCode::bad_request,
           fmt::format("the key in the request belongs to {} already; make a new key and try again",
                       taken.device.str())},
          taken.device.str()};
}

}  // namespace

Enrolment::Enrolment(Store& store, const crypto::Authority& authority, std::string grant_public_pem)
    : store_{store}, authority_{authority}, grant_public_pem_{std::move(grant_public_pem)} {}

Enrolment::Outcome Enrolment::enroll(const wire::Enroll& request, const std::string& public_address,
                                     UnixSeconds now) {
  const auto refused = [&](Refusal refusal) {
    Event event{.kind = Event::Kind::enrol_refused,
                .device = std::move(refusal.device),
                .address = public_address,
                .code = std::string{to_string(refusal.reply.code)},
                .text = refusal.reply.text};
    return Outcome{.reply = std::move(refusal.reply), .event = std::move(event)};
  };
  const auto key = crypto::key_of_csr(request.csr);
  if (!key)
    return refused(
        {{RefusalCode::bad_request,
          fmt::format("the certificate request is not acceptable: {}", key.error().message())}});
  const auto issue = [&](const DeviceRecord& device) {
    const auto certificate =
        authority_.issue_device(*key, device.identity(), now, crypto::device_certificate_seconds);
    return IssuedCertificate{certificate.pem(), key->hash(), certificate.not_after()};
  };
  try {
    auto outcome = store_.enrol(crypto::sha256(request.secret), now, issue);
    if (auto* accepted = std::get_if<CodeAccepted>(&outcome))
      return welcome(std::move(*accepted), public_address);
    return refused(std::visit([](const auto& why) { return refusal_of(why); }, std::move(outcome)));
  } catch (const std::exception& e) {
    auto outcome = refused({{RefusalCode::server_trouble,
                             "the server cannot issue certificates now; its log says why"}});
    outcome.event.text = e.what();
    return outcome;
  }
}

Enrolment::Outcome Enrolment::welcome(CodeAccepted accepted,
                                      const std::string& public_address) const {
  const auto& device = accepted.device;
  return {
      .reply = wire::Enrolled{.certificate = tunnel::to_bytes(accepted.certificate.pem),
                              .ca = tunnel::to_bytes(authority_.certificate().pem()),
                              .grant_key = tunnel::to_bytes(grant_public_pem_),
                              .system = device.system,
                              .name = device.name,
                              .role = device.role},
      .enrolled = device.name,
      .event = {
          .kind = Event::Kind::enrolled, .device = device.name.str(), .address = public_address}};
}

Issuer::Renewal Enrolment::renew(const DeviceRecord& device, tunnel::ByteView csr,
                                 UnixSeconds now) {
  const auto key = crypto::key_of_csr(csr);
  if (!key)
    return {{},
            fmt::format("the certificate request is not acceptable: {}", key.error().message())};
  if (key->hash() != device.key_hash)
    return {{}, "a renewal keeps the key; to change it, enrol the device anew"};
  const auto certificate =
      authority_.issue_device(*key, device.identity(), now, crypto::device_certificate_seconds);
  store_.note_renewed(device.name, certificate.not_after());
  return {tunnel::to_bytes(certificate.pem()), {}};
}

Enrolment::FreshCode Enrolment::make_code(const std::string& server, UnixSeconds now) const {
  constexpr UnixSeconds life =
      std::chrono::duration_cast<std::chrono::seconds>(wire::enrolment_code_life).count();
  FreshCode fresh{.code = {.server = server}, .stored = {.expires = now + life}};
  const auto fingerprint = authority_.certificate().fingerprint();
  std::copy_n(fingerprint.begin(), fresh.code.ca_fingerprint.size(),
              fresh.code.ca_fingerprint.begin());
  crypto::random_fill(fresh.code.secret);
  fresh.stored.secret_hash = crypto::sha256(fresh.code.secret);
  return fresh;
}

std::uint64_t KeyIssuer::random() {
  return crypto::random_u64();
}

tunnel::Bytes KeyIssuer::sign_grant(tunnel::ByteView grant) {
  return grant_key_.sign(wire::grant_signature_context, grant);
}

Issuer::Renewal KeyIssuer::renew(const DeviceRecord& device, tunnel::ByteView csr,
                                 UnixSeconds now) {
  return enrolment_.renew(device, csr, now);
}

}  // namespace rdv
