#include "net/message.hpp"

#include "base/endian.hpp"

#include <array>
#include <new>

namespace tunnel::net {
namespace {

/// What an attribute shorter than its type holds is 0.
template <class T>
T read_number(const nlattr& attribute) {
  T value = 0;
  if (nla_len(&attribute) >= static_cast<int>(sizeof value))
    nla_memcpy(&value, &attribute, sizeof value);
  return value;
}

}  // namespace

Message::Message(int type, int flags, const void* fixed, std::size_t fixed_bytes)
    : message_{nlmsg_alloc_simple(type, flags | NLM_F_REQUEST)} {
  if (!message_ ||
      nlmsg_append(message_.get(), const_cast<void*>(fixed), fixed_bytes, NLMSG_ALIGNTO) < 0)
    throw std::bad_alloc{};
}

Message& Message::put_u8(int attribute, std::uint8_t value) {
  return put_bytes(attribute, &value, sizeof value);
}

Message& Message::put_u32(int attribute, std::uint32_t value) {
  return put_bytes(attribute, &value, sizeof value);
}

Message& Message::put_text(int attribute, const std::string& value) {
  return put_bytes(attribute, value.c_str(), value.size() + 1);
}

Message& Message::put_address(int attribute, Ipv4Address value) {
  std::array<std::byte, 4> bytes{};
  store_big_endian(std::span<std::byte>{bytes}, value.value);
  return put_bytes(attribute, bytes.data(), bytes.size());
}

Message& Message::put_bytes(int attribute, const void* bytes, std::size_t count) {
  // A message has room for a page; ours need a tenth of it.
  if (nla_put(message_.get(), attribute, static_cast<int>(count), bytes) < 0)
    throw std::bad_alloc{};
  return *this;
}

void for_each_attribute(const nlmsghdr& header, std::size_t fixed_bytes,
                        const std::function<void(const nlattr&)>& each) {
  const int fixed = static_cast<int>(fixed_bytes);
  if (nlmsg_valid_hdr(&header, fixed) == 0) return;
  int left = nlmsg_attrlen(&header, fixed);
  for (nlattr* at = nlmsg_attrdata(&header, fixed); nla_ok(at, left) != 0; at = nla_next(at, &left))
    each(*at);
}

void for_each_nested(const nlattr& outer, const std::function<void(const nlattr&)>& each) {
  int left = nla_len(&outer);
  for (auto* at = static_cast<nlattr*>(nla_data(&outer)); nla_ok(at, left) != 0;
       at = nla_next(at, &left))
    each(*at);
}

std::uint8_t read_u8(const nlattr& attribute) {
  return read_number<std::uint8_t>(attribute);
}

std::uint32_t read_u32(const nlattr& attribute) {
  return read_number<std::uint32_t>(attribute);
}

std::string read_text(const nlattr& attribute) {
  std::string text(static_cast<const char*>(nla_data(&attribute)),
                   static_cast<std::size_t>(nla_len(&attribute)));
  if (const auto end = text.find('\0'); end != std::string::npos) text.resize(end);
  return text;
}

Ipv4Address read_address(const nlattr& attribute) {
  if (nla_len(&attribute) < 4) return {};
  const auto* bytes = static_cast<const std::byte*>(nla_data(&attribute));
  return {load_big_endian<std::uint32_t>(std::span{bytes, 4})};
}

}  // namespace tunnel::net
