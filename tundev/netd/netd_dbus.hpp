#pragma once
#include "bus/asio_bus.hpp"
#include "netd/netd.hpp"
#include "org.rdv.Netd1_adaptor.hpp"

#include <map>
#include <string>
#include <vector>

namespace device {

inline constexpr const char* netd_bus_name = "org.rdv.Netd1";
inline constexpr const char* netd_object_path = "/org/rdv/Netd1";

/// org.rdv.Netd1 (dbus/org.rdv.Netd1.xml) -> Netd; the only file of netd that includes sdbus-c++.
class NetdDbus final : public sdbus::AdaptorInterfaces<org::rdv::Netd1_adaptor> {
 public:
  /// @param bus  owns the name already: there is no other netd while this one sweeps
  /// @throws net::NetError as Netd
  NetdDbus(tunnel::io::asio::io_context& io, tunnel::bus::AsioBus& bus, const Config& config);
  ~NetdDbus();

  Netd& netd() { return netd_; }

 private:
  using Options = std::map<std::string, sdbus::Variant>;

  void SetRole(const std::string& role) override;
  std::tuple<std::string, std::string, std::string, bool> GetInterface() override;
  std::vector<Options> GetPorts() override;
  Options GetUplink() override;
  void FixUplink(const std::string& interface) override;
  void SetServers(const std::vector<std::string>& addresses) override;
  void ReportUplink(const std::string& interface, const bool& answers) override;
  std::tuple<sdbus::UnixFd, std::string> OpenSession(const std::uint64_t& session,
                                                     const Options& setup) override;
  std::string AdoptSession(const std::uint64_t& session, const Options& setup,
                           const sdbus::UnixFd& tun) override;
  void LeaveNote(const std::uint64_t& session, const std::vector<std::uint8_t>& note) override;
  std::tuple<std::uint64_t, sdbus::UnixFd, std::string, std::vector<std::uint8_t>> KeptSession()
      override;
  void CloseSession(const std::uint64_t& session) override;

  Netd netd_;
};

}  // namespace device
