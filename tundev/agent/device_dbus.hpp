#pragma once
#include "agent/agent.hpp"
#include "bus/asio_bus.hpp"
#include "org.rdv.Device1_adaptor.hpp"

#include <map>
#include <string>
#include <vector>

namespace device {

inline constexpr char device_bus_name[] = "org.rdv.Device1";
inline constexpr char device_object_path[] = "/org/rdv/Device1";

/// org.rdv.Device1 on the bus: translates to and from Agent, nothing else. Takes the bus name when
/// it is ready to answer.
class DeviceDbus final : public sdbus::AdaptorInterfaces<org::rdv::Device1_adaptor> {
 public:
  using Facts = std::map<std::string, sdbus::Variant>;

  /// @throws sdbus::Error when the name is taken or not allowed to us
  /// @throws IdentityError
  DeviceDbus(asio::io_context& io, tunnel::bus::AsioBus& bus, const Config& config);
  ~DeviceDbus();

  Agent& agent() { return agent_; }

 private:
  void Enroll(sdbus::Result<std::string, std::string, std::string>&& result,
              std::string code) override;
  void List(sdbus::Result<std::vector<Facts>>&& result) override;
  void Ports(sdbus::Result<std::vector<Facts>>&& result) override;
  void FixUplink(sdbus::Result<>&& result, std::string interface) override;
  std::uint64_t Open(const std::string& onsite, const Facts& options) override;
  void Hold(sdbus::Result<std::uint64_t>&& result, std::string session) override;
  void Close(const std::uint64_t& id, const std::string& reason) override;
  std::vector<Facts> Sessions() override;
  std::string Name() override;
  std::string Role() override;
  std::string System() override;
  std::string Server() override;
  bool Connected() override;
  std::string Status() override;
  std::string Version() override;
  std::uint64_t SwitchMode(const std::string& mode) override;
  void ConfirmMode() override;
  std::string PortAddress() override;
  std::string Uplink() override;
  bool UplinkFixed() override;

  void emit_facts();

  Agent agent_;
};

}  // namespace device
