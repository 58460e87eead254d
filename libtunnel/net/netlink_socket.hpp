#pragma once
#include "net/message.hpp"

#include <boost/system/error_code.hpp>
#include <netlink/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tunnel::net {

/// One netlink socket that asks and waits for the answer; used inside this folder only.
///
/// The errno and the sentence (NETLINK_EXT_ACK) of a refusal are read from the kernel's own answer:
/// libnl folds about a hundred errno values into thirty of its own.
class NetlinkSocket {
 public:
  using OnReply = std::function<void(const nlmsghdr&)>;

  /// @param protocol  e.g. NETLINK_ROUTE
  /// @throws NetError
  explicit NetlinkSocket(int protocol);

  /// What became of a request: the kernel's errno and its sentence, if it gave one.
  struct Outcome {
    boost::system::error_code error;
    std::string detail;
  };

  /// Sends one request and waits for its acknowledgement.
  /// @param on_reply  called for each message of the answer but acknowledgements
  /// @throws nothing the kernel answered: that is the outcome
  Outcome transact(Message& request, const OnReply& on_reply = {});

  /// The same; a refusal is thrown.
  /// @throws NetError with `attempted`
  void request(Message& request, std::string_view attempted, const OnReply& on_reply = {});

  /// Asks for a whole table. Asks again, at most 8 times, when it changed meanwhile
  /// (NLM_F_DUMP_INTR).
  /// @param each  called after the table has been read consistently, once per entry
  /// @throws NetError with `attempted`
  void dump(Message& request, std::string_view attempted, const OnReply& each);

 private:
  Outcome receive(unsigned sequence, const OnReply& on_reply, bool& interrupted);

  std::unique_ptr<nl_sock, Freed<nl_socket_free>> socket_;
};

}  // namespace tunnel::net
