#pragma once
#include "config.hpp"
#include "dial/host_port.hpp"
#include "dial/http_auth.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace device {

/// One HTTP proxy: where it is, who we are there, and what it asked for last, so that the next
/// connection need not be asked again. Nothing here prints the password.
class Proxy {
 public:
  Proxy(HostPort at, Login login) : at_{std::move(at)}, login_{std::move(login)} {}

  const HostPort& at() const { return at_; }
  const std::string& user() const { return login_.user; }
  bool has_login() const { return !login_.user.empty(); }

  /// The value of Proxy-Authorization for a CONNECT to `target`; "" while it asked for none.
  std::string authorization(std::string_view target);
  void on_challenge(Challenge challenge);
  void forget_challenge() { challenge_.reset(); }

 private:
  HostPort at_;
  Login login_;
  std::optional<Challenge> challenge_;
  std::uint32_t answered_ = 0;  ///< with this nonce
};

/// Whether a server is reached through a proxy, and through which.
class ProxyChoice {
 public:
  using Environment = std::function<const char*(const char*)>;  ///< getenv()

  ProxyChoice() = default;  ///< none

  /// What the configuration says goes first; else https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY,
  /// with no_proxy, NO_PROXY, as curl(1) reads them. Reads the password's file.
  ///
  /// @throws ConfigError with a sentence, without the password
  static ProxyChoice from(const Config::Proxy& config, const Environment& environment);

  /// @return nullptr: directly. Shared with every way that leads through it: a session's leg may
  /// outlive the Dialler that chose.
  std::shared_ptr<Proxy> for_host(const std::string& host) const;

 private:
  std::shared_ptr<Proxy> proxy_;
  std::vector<std::string> exempt_;
};

/// Whether `host` is one of `exempt`: "*", a name and all names below it, an address, an IPv4
/// prefix.
bool is_exempt(const std::string& host, const std::vector<std::string>& exempt);

}  // namespace device
