#pragma once
#include <nlohmann/json.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace rdv::ctl {

/// What the operator asked for was not done. what() says why; next() what to do, or "".
class ClientError : public std::runtime_error {
 public:
  ClientError(const std::string& why, std::string next)
      : std::runtime_error{why}, next_{std::move(next)} {}
  const std::string& next() const noexcept { return next_; }

 private:
  std::string next_;
};

/// rdv-server, asked over D-Bus (org.rdv.Server1); answers as JSON with the names of the XML. Each
/// function throws ClientError.
class Client {
 public:
  Client();
  ~Client();

  struct Code {
    std::string code;
    std::int64_t expires = 0;
  };
  struct DeviceOptions {
    std::string site;
    std::string system;  ///< "": the server's default
    std::vector<std::string> allow;
    bool l2 = false;
  };
  Code add_device(const std::string& name, const std::string& role, const DeviceOptions& options);
  Code new_code(const std::string& name);
  nlohmann::json list_devices();
  nlohmann::json show_device(const std::string& name);
  void revoke_device(const std::string& name, const std::string& reason);
  void set_l2(const std::string& name, bool allowed);
  void remove_device(const std::string& name);
  nlohmann::json list_sessions();
  void close_session(const std::string& id, const std::string& reason);
  nlohmann::json status();

 private:
  class Proxy;  // the only code of rdvctl that knows sdbus-c++
  std::unique_ptr<Proxy> proxy_;
};

}  // namespace rdv::ctl
