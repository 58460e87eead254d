#include "netd_frames.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace netd_test {
namespace {

constexpr std::size_t addresses_bytes = 12;

/// The kernel takes a VLAN tag off and tells of it beside (packet(7), PACKET_AUXDATA).
std::string with_tag(std::string frame, msghdr& message) {
  for (auto* note = CMSG_FIRSTHDR(&message); note != nullptr; note = CMSG_NXTHDR(&message, note)) {
    if (note->cmsg_level != SOL_PACKET || note->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux{};
    std::memcpy(&aux, CMSG_DATA(note), sizeof aux);
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) continue;
    const std::array<std::uint16_t, 2> tag{htons(aux.tp_vlan_tpid), htons(aux.tp_vlan_tci)};
    frame.insert(addresses_bytes, reinterpret_cast<const char*>(tag.data()), sizeof tag);
  }
  return frame;
}

}  // namespace

std::string bytes(const std::string& hex) {
  std::string digits, out;
  for (const char c : hex)
    if (c != ' ' && c != ':') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return out;
}

std::string frame(const std::string& to, const std::string& from, const std::string& rest_hex) {
  return bytes(to + from + rest_hex);
}

std::string mac_of(const Host& host, const std::string& link) {
  const auto text = host.must("ip -o link show dev " + link);
  const std::string key = "link/ether ";
  return text.substr(text.find(key) + key.size(), 17);
}

Wire::Wire(const Host& host, const std::string& link) {
  int fd = -1;
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  host.enter([&] {
    fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
  });
  socket_ = tunnel::UniqueFd{fd};
  const int on = 1;
  ::setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  BOOST_REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
}

void Wire::send(const std::string& frame) {
  BOOST_REQUIRE(::send(socket_.get(), frame.data(), frame.size(), 0) ==
                static_cast<ssize_t>(frame.size()));
}

int Wire::heard(const std::string& frame) {
  int count = 0;
  std::array<char, 2048> buffer;
  std::array<char, 256> notes;
  for (;;) {
    sockaddr_ll from{};
    iovec room{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = notes.data();
    message.msg_controllen = notes.size();
    const auto n = ::recvmsg(socket_.get(), &message, 0);
    if (n <= 0) return count;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;
    const auto came = with_tag({buffer.data(), static_cast<std::size_t>(n)}, message);
    if (came.starts_with(frame)) ++count;
  }
}

bool Wire::hears(const std::string& frame) {
  return until([&] { return heard(frame) > 0; });
}

}  // namespace netd_test
