#include "dial/http_connect.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace device {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t reason_chars_max = 60;

/// The words behind the status code, as far as they are plain ones.
std::string plain(boost::beast::string_view text) {
  std::string words{text.substr(0, reason_chars_max)};
  std::erase_if(words, [](unsigned char c) { return c < 0x20 || c > 0x7e; });
  return words;
}

}  // namespace

struct HttpConnect::Answer {
  Answer() {
    parser.header_limit(header_bytes_max);
    parser.body_limit(boost::none);  // page_bytes_max is ours to watch: Beast would fail the header
  }
  http::response_parser<http::string_body> parser;
  std::size_t bytes = 0;  ///< read so far
};

HttpConnect::HttpConnect(const HostPort& server, Proxy& proxy)
    : target_{server.str()}, proxy_{proxy} {}

HttpConnect::~HttpConnect() = default;

std::string HttpConnect::request() {
  ++requests_;
  answer_ = std::make_unique<Answer>();
  unread_.clear();
  const auto authorization = proxy_.authorization(target_);
  introduced_ = !authorization.empty();
  return fmt::format(
      "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n{1}{2}{3}User-Agent: rdv\r\n"
      "Proxy-Connection: keep-alive\r\n\r\n",
      target_, introduced_ ? "Proxy-Authorization: " : "", authorization,
      introduced_ ? "\r\n" : "");
}

HttpConnect::Step HttpConnect::on_bytes(std::string_view bytes) {
  unread_ += bytes;
  answer_->bytes += bytes.size();
  auto& parser = answer_->parser;
  while (!unread_.empty() && !parser.is_done()) {
    boost::beast::error_code ec;
    parser.eager(parser.is_header_done());
    const bool had_header = parser.is_header_done();
    const auto used = parser.put(boost::asio::buffer(unread_), ec);
    unread_.erase(0, used);
    if (ec == http::error::need_more) return Step::more;
    if (ec && had_header) return judge();  // nonsense in the page: what matters stood before it
    if (ec)
      return fail(fmt::format("what answers at {} is no HTTP proxy", proxy_.at().str()), true);
    if (!parser.is_header_done()) continue;
    const auto status = parser.get().result_int();
    if (status / 100 == 1) {  // an interim answer; the real one follows
      answer_ = std::make_unique<Answer>();
      const auto rest = std::exchange(unread_, {});
      return rest.empty() ? Step::more : on_bytes(rest);
    }
    const bool is_readable = !parser.need_eof() && answer_->bytes <= page_bytes_max;
    if (status != 407 || !is_readable) return judge();
  }
  return parser.is_done() ? judge() : Step::more;
}

HttpConnect::Step HttpConnect::on_end() {
  if (answer_->parser.is_header_done()) return judge();
  return fail(
      fmt::format("the proxy {} closed the connection without an answer", proxy_.at().str()),
      false);
}

HttpConnect::Step HttpConnect::judge() {
  const auto& answer = answer_->parser.get();
  const auto status = answer.result_int();
  const auto at = proxy_.at().str();
  const auto said = fmt::format("{} {}", status, plain(answer.reason()));
  if (status / 100 == 2) {
    if (unread_.empty()) return Step::open;
    return fail(fmt::format("the proxy {} speaks in the server's place", at), true);
  }
  switch (status) {
    case 407: return on_unauthorized();
    case 403:
    case 405:
      return fail(fmt::format("the proxy {} does not allow it ({}); ask its administrator to allow "
                              "CONNECT to {}",
                              at, said, target_),
                  false);
    case 502:
    case 503:
    case 504: return fail(fmt::format("the proxy {} cannot reach it ({})", at, said), false);
    default: return fail(fmt::format("the proxy {} refuses it ({})", at, said), false);
  }
}

HttpConnect::Step HttpConnect::on_unauthorized() {
  const auto& answer = answer_->parser.get();
  const auto at = proxy_.at().str();
  std::vector<std::string> values;
  const auto fields = answer.equal_range(http::field::proxy_authenticate);
  for (auto field = fields.first; field != fields.second; ++field)
    values.emplace_back(field->value());
  auto challenge = Challenge::best(values);
  if (!challenge)
    return fail(fmt::format("the proxy {} wants a kind of login that this device does not have: {}",
                            at, scheme_names(values)),
                true);
  if (!proxy_.has_login())
    return fail(fmt::format("the proxy {} wants a user and a password; write them into [proxy] of "
                            "device.toml",
                            at),
                true);
  if ((answered_ && introduced_ && !challenge->stale) || requests_ >= requests_max) {
    proxy_.forget_challenge();
    is_login_refused_ = true;
    return fail(fmt::format("the proxy {} does not accept the password of user '{}'; correct "
                            "[proxy] in device.toml",
                            at, proxy_.user()),
                true);
  }
  proxy_.on_challenge(std::move(*challenge));
  answered_ = true;
  const auto& parser = answer_->parser;
  return parser.is_done() && parser.keep_alive() ? Step::again_here : Step::again_anew;
}

HttpConnect::Step HttpConnect::fail(std::string why, bool is_final) {
  why_ = std::move(why);
  is_final_ = is_final;
  return Step::failed;
}

}  // namespace device
