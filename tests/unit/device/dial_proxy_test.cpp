#define BOOST_TEST_MODULE dial_proxy
#include "base/proxy_url.hpp"
#include "dial/http_connect.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace device;
using Step = HttpConnect::Step;

namespace {

const HostPort server{"rdv.example.com", "443"};
const std::string need_login =
    "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n";

struct Talk {
  explicit Talk(Login login = {}) : proxy{{"p", "3128"}, std::move(login)}, connect{server, proxy} {
    request = connect.request();
  }
  Step on(std::string_view bytes) {
    const auto step = connect.on_bytes(bytes);
    if (step == Step::again_here || step == Step::again_anew) request = connect.request();
    return step;
  }
  Proxy proxy;
  HttpConnect connect;
  std::string request;
};

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ProxyChoice choose(const Config::Proxy& config, std::map<std::string, std::string> environment) {
  return ProxyChoice::from(config, [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_url_is_taken_apart) {
  std::string problem;
  const auto url = tunnel::ProxyUrl::parse("http://o%40ps:p%25:w@proxy.example.com:3128/", problem);
  BOOST_REQUIRE(url);
  BOOST_TEST(url->address() == "proxy.example.com:3128");
  BOOST_TEST(url->user == "o@ps");
  BOOST_TEST(url->password == "p%:w");
  BOOST_TEST(tunnel::ProxyUrl::parse("[2001:db8::1]:8080", problem)->address() ==
             "[2001:db8::1]:8080");
  BOOST_TEST(tunnel::ProxyUrl::parse("proxy", problem)->address() == "proxy:80");
}

BOOST_AUTO_TEST_CASE(what_is_no_http_proxy_is_refused_without_telling_the_password) {
  for (const auto* wrong :
       {"https://u:secret@p:1", "socks5://u:secret@p", "http://u:secret@", "http://u:secret@p:0",
        "http://u:secret%zz@p", "http://u:secret@p:1/path", "http://u:secret%0a@p", "http://"}) {
    std::string problem;
    BOOST_TEST(!tunnel::ProxyUrl::parse(wrong, problem), wrong);
    BOOST_TEST(!problem.empty());
    BOOST_TEST(!holds(problem, "secret"));
  }
}

BOOST_AUTO_TEST_CASE(the_configuration_goes_before_the_environment) {
  const auto at = [](const ProxyChoice& choice, const std::string& host) {
    const auto proxy = choice.for_host(host);
    return proxy ? proxy->at().str() : "direct";
  };
  BOOST_TEST(at(choose({.url = "http://p:1"}, {{"https_proxy", "http://e:2"}}), "a") == "p:1");
  BOOST_TEST(at(choose({.url = "direct"}, {{"https_proxy", "http://e:2"}}), "a") == "direct");
  BOOST_TEST(at(choose({}, {{"ALL_PROXY", "http://a:1"}, {"HTTPS_PROXY", "http://h:2"}}), "a") ==
             "h:2");
  BOOST_TEST(at(choose({}, {{"https_proxy", ""}}), "a") == "direct");
  const auto both = choose({}, {{"https_proxy", "e:2"}, {"no_proxy", "b.example, 10.0.0.0/8"}});
  BOOST_TEST(at(both, "x.b.example") == "direct");
  BOOST_TEST(at(both, "10.1.2.3") == "direct");
  BOOST_TEST(at(both, "a.example") == "e:2");
  BOOST_CHECK_THROW(choose({}, {{"all_proxy", "socks5://s:1"}}), ConfigError);
}

BOOST_AUTO_TEST_CASE(exempt_are_names_with_what_is_below_them_addresses_and_prefixes) {
  BOOST_TEST(is_exempt("a.example.com", {".example.com"}));
  BOOST_TEST(is_exempt("EXAMPLE.com", {"example.com"}));
  BOOST_TEST(!is_exempt("badexample.com", {"example.com"}));
  BOOST_TEST(is_exempt("2001:db8::1", {"[2001:db8::1]"}));
  BOOST_TEST(is_exempt("anything", {"*"}));
  BOOST_TEST(!is_exempt("11.0.0.1", {"10.0.0.0/8", ""}));
}

BOOST_AUTO_TEST_CASE(basic_is_as_rfc_7617_shows_it) {
  const auto challenge = Challenge::best({"Basic realm=\"WallyWorld\""});
  BOOST_REQUIRE(challenge);
  BOOST_TEST(authorization(*challenge, {"Aladdin", "open sesame"}, "x:1", 1, "") ==
             "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

/// The responses were computed with the formulas of RFC 7616, section 3.4, by another program.
BOOST_AUTO_TEST_CASE(digest_answers_with_md5_and_sha256) {
  const Login login{"Mufasa", "Circle of Life"};
  const std::string rest =
      "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
      "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
      "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
  const auto cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  const auto md5 = Challenge::best({"Digest algorithm=MD5, " + rest});
  const auto sha = Challenge::best({"Digest algorithm=SHA-256, " + rest});
  BOOST_REQUIRE((md5 && sha));
  const auto md5_answer = authorization(*md5, login, "rdv.example.com:443", 1, cnonce);
  const auto sha_answer = authorization(*sha, login, "rdv.example.com:443", 1, cnonce);
  BOOST_TEST(holds(md5_answer, "response=\"5e7b3e78911c34bf9c39e1efb23a9592\""), md5_answer);
  BOOST_TEST(holds(sha_answer,
                   "response=\"d1fcf9c2fe74982d4a3c368adf07de7771dbbc5d6a51c0d0210f63d3c766fea8\""),
             sha_answer);
  BOOST_TEST(holds(sha_answer, "algorithm=SHA-256"));
  BOOST_TEST(holds(sha_answer, "nc=00000001"));
  BOOST_TEST(holds(sha_answer, "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
}

BOOST_AUTO_TEST_CASE(the_best_of_several_challenges_is_chosen) {
  const auto best = Challenge::best(
      {"Negotiate, NTLM", "Basic realm=\"a, Digest b\"",
       "Digest realm=\"r\", nonce=\"n1\", algorithm=MD5, qop=auth, "
       "Digest realm=\"r\", nonce=\"n2\\\"\", algorithm=SHA-256, qop=\"auth\", stale=TRUE"});
  BOOST_REQUIRE(best);
  BOOST_TEST((best->scheme == Challenge::Scheme::digest_sha256));
  BOOST_TEST(best->nonce == "n2\"");
  BOOST_TEST(best->stale);
  BOOST_TEST(!Challenge::best({"Negotiate abc==", "Digest realm=\"r\"", "==,,\"", ""}));
  BOOST_TEST(!Challenge::best({"Digest realm=r, nonce=n, qop=auth-int"}));
  BOOST_TEST(scheme_names({"Negotiate", "NTLM"}) == "Negotiate, NTLM");
}

BOOST_AUTO_TEST_CASE(a_proxy_that_lets_us_through_was_asked_as_rfc_9110_says) {
  Talk talk;
  BOOST_TEST(talk.request.starts_with(
      "CONNECT rdv.example.com:443 HTTP/1.1\r\nHost: rdv.example.com:443\r\n"));
  BOOST_TEST(!holds(talk.request, "Authorization"));
  BOOST_TEST((talk.on("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connec") == Step::more));
  BOOST_TEST((talk.on("tion established\r\nContent-Length: 7\r\n\r\n") == Step::open));
}

BOOST_AUTO_TEST_CASE(a_challenge_is_answered_on_the_same_connection_when_that_is_kept) {
  Talk talk{{"ops", "secret"}};
  BOOST_TEST((talk.on(need_login + "Content-Length: 4\r\n\r\nno") == Step::more));
  BOOST_TEST((talk.on("pe") == Step::again_here));
  BOOST_TEST(holds(talk.request, "Proxy-Authorization: Basic b3BzOnNlY3JldA==\r\n"));
  BOOST_TEST((talk.on("HTTP/1.1 200 OK\r\n\r\n") == Step::open));
  HttpConnect next{server, talk.proxy};
  BOOST_TEST(holds(next.request(), "Proxy-Authorization: Basic"));  // it need not ask again
}

BOOST_AUTO_TEST_CASE(a_connection_that_the_proxy_closes_is_made_anew) {
  for (const std::string_view how : {"Connection: close\r\nContent-Length: 0\r\n\r\n", "\r\n",
                                     "Content-Length: 999999\r\n\r\n"}) {
    Talk talk{{"ops", "secret"}};
    auto step = talk.on(need_login + std::string{how});
    if (step == Step::more) step = talk.on(std::string(HttpConnect::page_bytes_max, 'x'));
    BOOST_TEST((step == Step::again_anew), how);
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_tried_once_and_not_told) {
  Talk talk{{"ops", "secret"}};
  BOOST_TEST((talk.on(need_login + "Content-Length: 0\r\n\r\n") == Step::again_here));
  BOOST_TEST((talk.on(need_login + "Content-Length: 0\r\n\r\n") == Step::failed));
  BOOST_TEST(holds(talk.connect.why(), "does not accept the password of user 'ops'"));
  BOOST_TEST(talk.connect.is_login_refused());
  BOOST_TEST(!holds(talk.connect.why(), "secret"));
  BOOST_TEST(talk.connect.is_final());
}

BOOST_AUTO_TEST_CASE(a_nonce_that_is_too_old_is_replaced) {
  const auto digest = [](std::string_view nonce, std::string_view stale) {
    return "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"" +
           std::string{nonce} + "\", stale=" + std::string{stale} + "\r\nContent-Length: 0\r\n\r\n";
  };
  Talk talk{{"ops", "secret"}};
  BOOST_TEST((talk.on(digest("one", "false")) == Step::again_here));
  BOOST_TEST(holds(talk.request, "nonce=\"one\""));
  BOOST_TEST((talk.on(digest("two", "true")) == Step::again_here));
  BOOST_TEST(holds(talk.request, "nonce=\"two\""));
  BOOST_TEST((talk.on(digest("three", "true")) == Step::failed));
}

BOOST_AUTO_TEST_CASE(what_a_proxy_says_instead_becomes_a_sentence) {
  const auto why = [](std::string_view answer, Login login = {}) {
    Talk talk{std::move(login)};
    BOOST_TEST((talk.on(answer) == Step::failed), answer);
    return talk.connect.why();
  };
  BOOST_TEST(holds(why(need_login + "\r\n"), "wants a user and a password"));
  BOOST_TEST(holds(why("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n"), "NTLM"));
  BOOST_TEST(holds(why("HTTP/1.1 403 Forbidden\r\n\r\n"), "allow CONNECT to rdv.example.com:443"));
  BOOST_TEST(holds(why("HTTP/1.0 502 Bad Gateway\r\n\r\n"), "cannot reach it (502 Bad Gateway)"));
  BOOST_TEST(holds(why("HTTP/1.1 500 Oh\x1b[2J\r\n\r\n"), "no HTTP proxy"));
  BOOST_TEST(holds(why("SSH-2.0-OpenSSH_9.2\r\n"), "what answers at p:3128 is no HTTP proxy"));
  BOOST_TEST(holds(why("HTTP/1.1 200 OK\r\n\r\nhello"), "in the server's place"));
  BOOST_TEST(holds(why("HTTP/1.1 200 OK\r\nX: " + std::string(HttpConnect::header_bytes_max, 'x')),
                   "no HTTP proxy"));
}

BOOST_AUTO_TEST_CASE(a_proxy_that_hangs_up_says_so) {
  Talk talk;
  BOOST_TEST((talk.on("HTTP/1.1 20") == Step::more));
  BOOST_TEST((talk.connect.on_end() == Step::failed));
  BOOST_TEST(holds(talk.connect.why(), "closed the connection without an answer"));
}
