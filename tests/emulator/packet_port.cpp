#include "emulator/packet_port.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

namespace emulator {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using tunnel::Clock;

constexpr int socket_buffer_bytes = 32 * 1024 * 1024;
constexpr auto stamp_age_max = seconds{1};  // an older stamp: somebody has set the wall clock

[[noreturn]] void fail(const std::string& attempted) {
  throw std::system_error{errno, std::generic_category(), attempted};
}

void set_option(int fd, int level, int name, int value, const std::string& link) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0)
    fail("prepare a packet socket on " + link);
}

nanoseconds as_duration(const timespec& t) {
  return seconds{t.tv_sec} + nanoseconds{t.tv_nsec};
}

/// Both clocks at the same moment: the kernel stamps frames with the wall clock.
struct Moment {
  Clock::time_point now = Clock::now();
  nanoseconds wall = [] {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return as_duration(t);
  }();

  Clock::time_point of(nanoseconds stamp) const {
    const auto age = wall - stamp;
    return age >= nanoseconds::zero() && age < stamp_age_max ? now - age : now;
  }
};

Clock::time_point arrival(msghdr& header, const Moment& moment) {
  for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
    return moment.of(as_duration(stamp));
  }
  return moment.now;
}

using Parts = std::array<iovec, 2>;

/// The two parts of a message: virtio header, Ethernet frame.
Parts parts_of(Frame& frame, std::size_t bytes) {
  return {iovec{frame.offload.data(), frame.offload.size()}, iovec{frame.ethernet.data(), bytes}};
}

}  // namespace

PacketPort::PacketPort(const std::string& link)
    : link_{link}, fd_{::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)} {
  if (!fd_) fail("open a packet socket");
  const auto index = ::if_nametoindex(link.c_str());
  if (index == 0) fail("find link " + link);
  set_option(fd_.get(), SOL_PACKET, PACKET_VNET_HDR, 1, link);
  set_option(fd_.get(), SOL_PACKET, PACKET_QDISC_BYPASS, 1, link);
  set_option(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, link);
  set_option(fd_.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1, link);
  set_option(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, socket_buffer_bytes, link);
  set_option(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, socket_buffer_bytes, link);
  // Bound last: from here on frames come.
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("bind a packet socket to " + link);
  empty_.resize(batch_frames);
}

void PacketPort::receive(const OnFrame& on_frame) {
  std::array<Parts, batch_frames> parts;
  std::array<mmsghdr, batch_frames> messages{};
  alignas(cmsghdr) std::array<std::array<char, CMSG_SPACE(sizeof(timespec))>, batch_frames> control;
  for (std::size_t n = 0; n < batch_frames; ++n) {
    if (!empty_[n]) empty_[n] = std::make_unique_for_overwrite<Frame>();
    parts[n] = parts_of(*empty_[n], frame_bytes_max);
    auto& header = messages[n].msg_hdr;
    header.msg_iov = parts[n].data();
    header.msg_iovlen = parts[n].size();
    header.msg_control = control[n].data();
    header.msg_controllen = control[n].size();
  }
  const int got = ::recvmmsg(fd_.get(), messages.data(), batch_frames, MSG_DONTWAIT, nullptr);
  if (got < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN) fail("read from " + link_);
  const Moment moment;
  for (std::size_t n = 0; n < static_cast<std::size_t>(std::max(got, 0)); ++n) {
    auto& message = messages[n];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0 || message.msg_len < offload_header_bytes) {
      ++too_long_;
      continue;
    }
    empty_[n]->bytes = message.msg_len - offload_header_bytes;
    on_frame(std::move(empty_[n]), arrival(message.msg_hdr, moment));
  }
}

void PacketPort::send(std::span<const FramePtr> frames) {
  std::array<Parts, batch_frames> parts;
  std::array<mmsghdr, batch_frames> messages{};
  frames = frames.first(std::min(frames.size(), batch_frames));
  for (std::size_t n = 0; n < frames.size(); ++n) {
    parts[n] = parts_of(*frames[n], frames[n]->bytes);
    messages[n].msg_hdr.msg_iov = parts[n].data();
    messages[n].msg_hdr.msg_iovlen = parts[n].size();
  }
  for (std::size_t sent = 0; sent < frames.size();) {
    const auto left = static_cast<unsigned>(frames.size() - sent);
    const int done = ::sendmmsg(fd_.get(), messages.data() + sent, left, MSG_DONTWAIT);
    if (done > 0) {
      sent += static_cast<std::size_t>(done);
    } else if (errno != EINTR) {  // no room, or the link is down: this one frame is lost
      ++not_sent_;
      ++sent;
    }
  }
}

std::uint64_t PacketPort::not_read() {
  tpacket_stats stats{};
  socklen_t bytes = sizeof stats;
  // Reading them sets them to 0.
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
    not_read_ += stats.tp_drops;
  return not_read_;
}

void PacketPort::reset_counters() {
  static_cast<void>(not_read());
  too_long_ = not_sent_ = not_read_ = 0;
}

}  // namespace emulator
