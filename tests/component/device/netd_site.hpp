#pragma once
#include "netd_support.hpp"
#include "netd_wire.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

namespace netd_test {

/// laptop - master - (pump) - onsite - camera, both LANs 192.168.1.0/24, as in the lab but without
/// agents and server.
struct Site {
  Site() {
    cable(master, "eth0", office, "eth0");
    master.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    office.must("ip addr add 192.168.1.1/24 dev eth0 && ip addr add 192.168.1.50/24 dev eth0");
    cable(onsite, "eth0", camera, "eth0");
    onsite.must("ip addr add 192.168.1.10/24 dev eth0 && ip route add default via 192.168.1.1");
    camera.must("ip addr add 192.168.1.50/24 dev eth0 && ip addr add 192.168.1.60/24 dev eth0");
    camera.must(
        "ip route add 192.168.200.0/24 via 192.168.1.10 && ip route add 192.168.38.224/29 via "
        "192.168.1.10");
    cable(master, "usb0", laptop, "lap0");
    master_netd.emplace(master, master_bus, master_folder);
    onsite_netd.emplace(onsite, onsite_bus, onsite_folder);
    master_client.emplace(master_bus);
    onsite_client.emplace(onsite_bus);
    master_client->SetRole("master");
    onsite_client->SetRole("onsite");
    master_client->wait_added();
    BOOST_REQUIRE(get_lease(laptop, "lap0", master_folder));
  }

  void open(const Allow& allow, const std::vector<std::string>& deny = {}) {
    master_end = master_client->OpenSession(7, master_setup({"192.168.1.50"}));
    onsite_end = onsite_client->OpenSession(7, onsite_setup(allow, deny));
    pump.emplace(std::get<0>(master_end).get(), std::get<0>(onsite_end).get());
  }
  void close() {
    pump.reset();
    onsite_client->CloseSession(7);
    master_client->CloseSession(7);
  }

  Host laptop, master, office, onsite, camera;
  Folder master_folder, onsite_folder;
  Bus master_bus, onsite_bus;
  std::optional<Daemon> master_netd, onsite_netd;
  std::optional<Client> master_client, onsite_client;
  std::tuple<sdbus::UnixFd, std::string> master_end, onsite_end;
  std::optional<Pump> pump;
};

}  // namespace netd_test
