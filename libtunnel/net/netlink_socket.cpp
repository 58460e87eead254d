#include "net/netlink_socket.hpp"

#include "net/net_error.hpp"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace tunnel::net {
namespace {

constexpr int dump_attempts_max = 8;
/// The kernel answers before sendmsg() returns; this only bounds what must not happen.
constexpr timeval answer_wait_max{.tv_sec = 5, .tv_usec = 0};

boost::system::error_code from_errno(int value) {
  return {value, boost::system::generic_category()};
}

/// Reads an NLMSG_ERROR: its errno, and the sentence behind the copy of our request, if there is
/// one.
NetlinkSocket::Outcome read_error(nlmsghdr& header) {
  if (nlmsg_valid_hdr(&header, sizeof(nlmsgerr)) == 0)
    return {netlink_error(-NLE_MSG_TOOSHORT), {}};
  const auto& error = *static_cast<const nlmsgerr*>(nlmsg_data(&header));
  NetlinkSocket::Outcome outcome{from_errno(-error.error), {}};
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return outcome;
  std::size_t before_attributes = sizeof error;
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0)
    before_attributes += error.msg.nlmsg_len - sizeof error.msg;
  for_each_attribute(header, before_attributes, [&](const nlattr& attribute) {
    if (nla_type(&attribute) == NLMSGERR_ATTR_MSG) outcome.detail = read_text(attribute);
  });
  return outcome;
}

}  // namespace

NetlinkSocket::NetlinkSocket(int protocol) : socket_{nl_socket_alloc()} {
  constexpr auto attempted = "open a netlink socket";
  if (!socket_) throw NetError{ENOMEM, attempted};
  if (const int err = nl_connect(socket_.get(), protocol); err < 0)
    throw NetError{netlink_error(err), attempted};
  nl_socket_enable_msg_peek(socket_.get());
  const int fd = nl_socket_get_fd(socket_.get());
  const int on = 1;
  // Only better messages: old kernels do without.
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &answer_wait_max, sizeof answer_wait_max) != 0)
    throw NetError{errno, attempted};
}

NetlinkSocket::Outcome NetlinkSocket::transact(Message& request, const OnReply& on_reply) {
  auto* header = nlmsg_hdr(request.get());
  if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) header->nlmsg_flags |= NLM_F_ACK;
  header->nlmsg_seq = NL_AUTO_SEQ;  // a fresh one, also for a message that is sent again
  if (const int err = nl_send_auto(socket_.get(), request.get()); err < 0)
    return {netlink_error(err), {}};
  bool interrupted = false;
  auto outcome = receive(header->nlmsg_seq, on_reply, interrupted);
  if (!outcome.error && interrupted) outcome.error = netlink_error(-NLE_DUMP_INTR);
  return outcome;
}

NetlinkSocket::Outcome NetlinkSocket::receive(unsigned sequence, const OnReply& on_reply,
                                              bool& interrupted) {
  for (;;) {
    sockaddr_nl sender{};
    unsigned char* bytes = nullptr;
    int left = nl_recv(socket_.get(), &sender, &bytes, nullptr);
    const std::unique_ptr<unsigned char, Freed<std::free>> owner{bytes};
    if (left < 0) return {left == -NLE_AGAIN ? from_errno(ETIMEDOUT) : netlink_error(left), {}};
    if (left == 0 || sender.nl_pid != 0) continue;  // any process can send us something
    for (auto* at = reinterpret_cast<nlmsghdr*>(bytes); nlmsg_ok(at, left) != 0;
         at = nlmsg_next(at, &left)) {
      if (at->nlmsg_seq != sequence) continue;  // the rest of an answer given up earlier
      if ((at->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (at->nlmsg_type == NLMSG_DONE) return {};
      if (at->nlmsg_type == NLMSG_ERROR) return read_error(*at);
      if (at->nlmsg_type != NLMSG_NOOP && on_reply) on_reply(*at);
    }
  }
}

void NetlinkSocket::request(Message& request, std::string_view attempted, const OnReply& on_reply) {
  const auto outcome = transact(request, on_reply);
  if (!outcome.error) return;
  if (outcome.detail.empty()) throw NetError{outcome.error, attempted};
  throw NetError{outcome.error, fmt::format("{} ({})", attempted, outcome.detail)};
}

void NetlinkSocket::dump(Message& request, std::string_view attempted, const OnReply& each) {
  for (int attempt = 1;; ++attempt) {
    std::vector<std::vector<unsigned char>> entries;
    const auto outcome = transact(request, [&](const nlmsghdr& header) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
      entries.emplace_back(bytes, bytes + header.nlmsg_len);
    });
    if (outcome.error == netlink_error(-NLE_DUMP_INTR) && attempt < dump_attempts_max) continue;
    if (outcome.error) throw NetError{outcome.error, attempted};
    for (const auto& entry : entries)
      each(*reinterpret_cast<const nlmsghdr*>(entry.data()));
    return;
  }
}

}  // namespace tunnel::net
