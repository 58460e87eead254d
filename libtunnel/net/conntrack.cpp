#include "net/conntrack.hpp"

#include "net/net_error.hpp"
#include "net/netlink_socket.hpp"

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <vector>

namespace tunnel::net {
namespace {

using RawTuple = std::vector<unsigned char>;

/// What names one connection to the kernel.
struct Entry {
  Ipv4Address source;  ///< of the original direction
  RawTuple tuple;      ///< CTA_TUPLE_ORIG as it came
  std::optional<std::uint32_t> id;
  std::optional<std::uint16_t> zone;  ///< in network byte order
};

Message make_request(int type, int flags) {
  nfgenmsg fixed{};
  fixed.nfgen_family = AF_INET;
  fixed.version = NFNETLINK_V0;
  return {NFNL_SUBSYS_CTNETLINK << 8 | type, flags, fixed};
}

Ipv4Address read_source(const nlattr& tuple) {
  Ipv4Address source;
  for_each_nested(tuple, [&](const nlattr& part) {
    if (nla_type(&part) != CTA_TUPLE_IP) return;
    for_each_nested(part, [&](const nlattr& address) {
      if (nla_type(&address) == CTA_IP_V4_SRC) source = read_address(address);
    });
  });
  return source;
}

Entry parse_entry(const nlmsghdr& header) {
  Entry entry;
  for_each_attribute(header, sizeof(nfgenmsg), [&](const nlattr& attribute) {
    switch (nla_type(&attribute)) {
      case CTA_TUPLE_ORIG: {
        entry.source = read_source(attribute);
        const auto* bytes = static_cast<const unsigned char*>(nla_data(&attribute));
        entry.tuple.assign(bytes, bytes + nla_len(&attribute));
        break;
      }
      case CTA_ID: entry.id = read_u32(attribute); break;
      case CTA_ZONE: entry.zone = nla_get_u16(&attribute); break;
      default: break;
    }
  });
  return entry;
}

}  // namespace

std::size_t flush_conntrack(const Ipv4Prefix& sources) {
  const auto attempted = fmt::format("forget the connections of {}", sources.str());
  NetlinkSocket socket{NETLINK_NETFILTER};
  std::vector<Entry> entries;
  auto list = make_request(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
  socket.dump(list, attempted, [&](const nlmsghdr& header) {
    auto entry = parse_entry(header);
    if (!entry.tuple.empty() && sources.contains(entry.source)) entries.push_back(std::move(entry));
  });
  std::size_t deleted = 0;
  for (const auto& entry : entries) {
    auto request = make_request(IPCTNL_MSG_CT_DELETE, 0);
    request.put_bytes(CTA_TUPLE_ORIG | NLA_F_NESTED, entry.tuple.data(), entry.tuple.size());
    if (entry.zone) request.put_bytes(CTA_ZONE, &*entry.zone, sizeof *entry.zone);
    if (entry.id) request.put_u32(CTA_ID, *entry.id);
    const auto outcome = socket.transact(request);
    if (!outcome.error)
      ++deleted;
    else if (outcome.error.value() != ENOENT)  // ENOENT: it has timed out meanwhile
      throw NetError{outcome.error, attempted};
  }
  return deleted;
}

}  // namespace tunnel::net
