#include "agent/enrolment.hpp"

#include "agent/dial.hpp"
#include "agent/interception.hpp"
#include "agent/wakeup.hpp"
#include "io/tls_socket.hpp"
#include "wire/enrolment_code.hpp"
#include "wire/messages.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

namespace device {
namespace {

using Outcome = std::variant<Identity, EnrolFailure>;
using tunnel::io::TlsSocket;

EnrolFailure unreachable(const std::string& server, const std::string& why) {
  return {"NotConnected", fmt::format("cannot reach the RDV server {}: {}", server, why)};
}

EnrolFailure unusable(const std::string& why) {
  return {"Failed", fmt::format("the server's answer cannot be used: {}", why)};
}

/// What a TLS handshake that failed means for the person with the code.
EnrolFailure handshake_failure(const std::string& server, TlsSocket& tls) {
  const auto& why = tls.failure();
  const auto other = crypto::other_issuer(tls.ssl());
  if (auto intercepted = why_not_our_server(tls.ssl(), why, server);
      !intercepted.empty() && !(other && other->is_rdv_server))
    return {"NotConnected", std::move(intercepted)};
  if (::SSL_get_verify_result(tls.ssl()) != X509_V_OK)
    return {"Denied", fmt::format("{} is not the server that this code was made for: its "
                                  "certificate authority is another one",
                                  server)};
  return unreachable(server, why.empty() ? "it closed the connection" : why);
}

/// The answer must be for our key, by the CA that the code names.
std::variant<Identity, EnrolFailure> check(const wire::Enrolled& enrolled,
                                           const wire::EnrolmentCode& code, crypto::Key key) {
  try {
    Identity identity{
        .self = {enrolled.system, enrolled.role, enrolled.name},
        .server = code.server,
        .key = std::move(key),
        .certificate = crypto::Certificate::from_pem(tunnel::as_text(enrolled.certificate)),
        .ca = crypto::Certificate::from_pem(tunnel::as_text(enrolled.ca)),
        .grant_key = crypto::Key::public_from_pem(tunnel::as_text(enrolled.grant_key))};
    const auto fingerprint = identity.ca.fingerprint();
    if (!std::equal(code.ca_fingerprint.begin(), code.ca_fingerprint.end(), fingerprint.begin()))
      return unusable("another certificate authority");
    if (identity.certificate.key_hash() != identity.key.hash())
      return unusable("a certificate for another key");
    const auto certified = identity.certificate.identity();
    if (!certified || *certified != identity.self)
      return unusable("a certificate for another name");
    if (::X509_verify(identity.certificate.get(), ::X509_get0_pubkey(identity.ca.get())) != 1)
      return unusable("a certificate that its authority did not sign");
    return identity;
  } catch (const crypto::CryptoError& error) {
    return unusable(error.what());
  }
}

Task<std::variant<wire::EnrollMessage, EnrolFailure>> read_answer(TlsSocket& tls,
                                                                  const std::string& server) {
  wire::FrameReader reader{wire::Channel::enroll};
  std::array<std::byte, 4096> chunk;
  for (;;) {
    const auto frame = reader.next();
    if (!frame) co_return unusable(frame.error().message());
    if (*frame) {
      auto message = wire::decode_enroll((*frame)->type, (*frame)->payload);
      if (!message) co_return unusable(message.error().message());
      co_return std::move(*message);
    }
    const auto got = co_await tls.read_some(chunk);
    if (!got) co_return unreachable(server, got.error().message());
    reader.feed(std::span{chunk}.first(*got));
  }
}

Task<Outcome> converse(wire::EnrolmentCode code, crypto::Key key, Dialler dialler,
                       std::string hostname) {
  auto outcome = co_await dialler.dial();
  if (const auto* failure = std::get_if<DialFailure>(&outcome))
    co_return unreachable(dialler.servers(), failure->why);
  auto dialled = std::get<Dialled>(std::move(outcome));
  const auto server = dialled.way.server.str();
  const auto context = crypto::TlsContext::enrolling(code.ca_fingerprint);
  TlsSocket tls{std::move(dialled.socket), context};
  if (const auto ec = co_await tls.handshake(); ec) co_return handshake_failure(server, tls);

  const wire::Enroll request{.secret = code.secret,
                             .csr = crypto::make_csr(key),
                             .hostname = std::move(hostname),
                             .software = RDV_VERSION};
  const auto bytes = wire::encode(wire::EnrollMessage{request});
  if (const auto ec = co_await tls.write(bytes); ec) co_return unreachable(server, ec.message());
  auto answer = co_await read_answer(tls, server);
  tls.shutdown();
  if (auto* failure = std::get_if<EnrolFailure>(&answer)) co_return *failure;
  const auto& message = std::get<wire::EnrollMessage>(answer);
  if (const auto* refused = std::get_if<wire::EnrollRefused>(&message))
    co_return EnrolFailure{"Denied",
                           refused->text.empty() ? "the server refused the code" : refused->text,
                           refused->code != wire::RefusalCode::server_trouble};
  if (const auto* enrolled = std::get_if<wire::Enrolled>(&message))
    co_return check(*enrolled, code, std::move(key));
  co_return unusable("an unexpected message");
}

}  // namespace

Task<Outcome> enrol(std::string text, crypto::Key key, std::string server_override,
                    ProxyChoice proxies, std::string hostname) {
  using namespace asio::experimental::awaitable_operators;
  const auto code = wire::EnrolmentCode::parse(text);
  if (!code)
    co_return EnrolFailure{
        "InvalidArgument",
        "the code is mistyped or incomplete: compare it with what rdvctl printed"};
  const auto server = server_override.empty() ? code->server : server_override;
  // Asio makes one flat variant of ours and the timer's: <Identity, EnrolFailure, monostate>.
  auto first = co_await (
      converse(*code, std::move(key), Dialler{server, std::move(proxies)}, std::move(hostname)) ||
      sleep_for(enrol_timeout));
  if (auto* identity = std::get_if<Identity>(&first)) co_return std::move(*identity);
  if (auto* failure = std::get_if<EnrolFailure>(&first)) co_return std::move(*failure);
  co_return unreachable(server, "it did not answer in time");
}

}  // namespace device
