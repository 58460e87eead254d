#pragma once
#include "base/ipv4.hpp"

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

/// Building and reading netlink messages; used inside this folder only.
namespace tunnel::net {

template <auto Free>
struct Freed {
  void operator()(auto* p) const noexcept { Free(p); }
};

/// One netlink request under construction: header, the family's fixed part, attributes.
class Message {
 public:
  /// @param type   e.g. RTM_NEWRULE
  /// @param flags  e.g. NLM_F_CREATE; NLM_F_REQUEST is added
  template <class Fixed>
  Message(int type, int flags, const Fixed& fixed) : Message{type, flags, &fixed, sizeof fixed} {}

  Message& put_u8(int attribute, std::uint8_t value);
  Message& put_u32(int attribute, std::uint32_t value);
  Message& put_text(int attribute, const std::string& value);
  Message& put_address(int attribute, Ipv4Address value);
  Message& put_bytes(int attribute, const void* bytes, std::size_t count);

  nl_msg* get() const noexcept { return message_.get(); }

 private:
  Message(int type, int flags, const void* fixed, std::size_t fixed_bytes);

  std::unique_ptr<nl_msg, Freed<nlmsg_free>> message_;
};

/// Calls `each` with every attribute behind the fixed part of `header`; cut-off ones end the walk.
void for_each_attribute(const nlmsghdr& header, std::size_t fixed_bytes,
                        const std::function<void(const nlattr&)>& each);
/// The same for what is nested in one attribute.
void for_each_nested(const nlattr& outer, const std::function<void(const nlattr&)>& each);

/// The value of an attribute; 0 or "" when it is shorter than its type.
std::uint8_t read_u8(const nlattr& attribute);
std::uint32_t read_u32(const nlattr& attribute);
std::string read_text(const nlattr& attribute);
Ipv4Address read_address(const nlattr& attribute);

}  // namespace tunnel::net
