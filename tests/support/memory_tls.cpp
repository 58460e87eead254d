#include "support/memory_tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>

namespace tunnel::test {
namespace {

crypto::Certificate issue(const crypto::Authority& authority, const crypto::Key& key,
                          UnixSeconds now) {
  return authority.issue_server(key, {"127.0.0.1", "rdv.example.com"}, now);
}

}  // namespace

World::World(UnixSeconds now)
    : authority{crypto::Authority::create(now)},
      server_key{crypto::Key::generate()},
      server{issue(authority, server_key, now)},
      master{device("master", "anna", now, 90 * day)},
      onsite{device("onsite", "rpi1100", now, 90 * day)} {}

World::Device World::device(std::string_view role, std::string_view name, UnixSeconds now,
                            UnixSeconds life_seconds) const {
  const wire::Identity identity{wire::Name::parse("rdv").value(), wire::parse_role(role).value(),
                                wire::Name::parse(name).value()};
  auto key = crypto::Key::generate();
  auto certificate = authority.issue_device(key, identity, now, life_seconds);
  return {identity, std::move(key), std::move(certificate)};
}

std::array<std::byte, wire::fingerprint_bytes> World::pin() const {
  std::array<std::byte, wire::fingerprint_bytes> leading{};
  std::copy_n(ca().fingerprint().begin(), leading.size(), leading.begin());
  return leading;
}

TlsEnd::TlsEnd(crypto::SslHandle made) : ssl_{std::move(made)} {
  auto* in = ::BIO_new(::BIO_s_mem());
  auto* out = ::BIO_new(::BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);  // empty is "not yet", not the end
  ::SSL_set_bio(ssl_.get(), in, out);
}

bool TlsEnd::step() {
  if (finished_ || !failure_.empty()) return finished_;
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(ssl_.get());
  finished_ = result == 1;
  if (!finished_) note(result);
  return finished_;
}

void TlsEnd::note(int result) {
  const int error = ::SSL_get_error(ssl_.get(), result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
    failure_ = crypto::tls_failure(ssl_.get());
}

void TlsEnd::write(std::string_view text) {
  ::ERR_clear_error();
  std::size_t written = 0;
  const int result = ::SSL_write_ex(ssl_.get(), text.data(), text.size(), &written);
  if (result != 1) note(result);
}

std::string TlsEnd::read() {
  std::string text;
  for (;;) {
    char buffer[4096];
    std::size_t got = 0;
    ::ERR_clear_error();
    const int result = ::SSL_read_ex(ssl_.get(), buffer, sizeof buffer, &got);
    if (result != 1) {
      note(result);
      return text;
    }
    text.append(buffer, got);
  }
}

std::string TlsEnd::take_output() {
  auto* out = ::SSL_get_wbio(ssl_.get());
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) ::BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

void TlsEnd::put_input(std::string_view bytes) {
  if (!bytes.empty())
    ::BIO_write(::SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
}

std::size_t TlsPair::carry() {
  const auto to_server = client.take_output();
  const auto to_client = server.take_output();
  server.put_input(to_server);
  client.put_input(to_client);
  return to_server.size() + to_client.size();
}

bool TlsPair::handshake() {
  do {
    client.step();
    server.step();
  } while (carry() > 0);
  // A TLS 1.3 client has finished before the server judges its certificate: its alert comes with
  // the first read.
  if (client.finished()) client.read();
  return client.finished() && server.finished() && client.failure().empty() &&
         server.failure().empty();
}

}  // namespace tunnel::test
