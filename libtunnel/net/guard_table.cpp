#include "net/guard_table.hpp"

#include "net/net_error.hpp"
#include "net/nft_table.hpp"
#include "net/ours.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>

namespace tunnel::net {
namespace {

/// A name as nft takes it between quotes. A star would be a pattern, a quote or line end another
/// statement.
std::string quoted(const std::string& link) {
  const bool bad = link.empty() || link.find_first_of("\"\\*\n") != std::string::npos;
  if (bad) throw NetError{EINVAL, fmt::format("guard link \"{}\"", link)};
  return fmt::format("\"{}\"", link);
}

/// What a lost NAT would have taken elsewhere.
std::string lost_nat(const std::vector<Ipv4Prefix>& translated) {
  std::string rules;
  for (const auto& prefix : translated)
    rules +=
        fmt::format("    ct status snat ct original ip saddr {} drop\n", prefix.network().str());
  return rules;
}

/// Adding before deleting makes the deletion succeed also when there was none.
constexpr char start_afresh[] = "add table inet rdv_guard\ndelete table inet rdv_guard\n";

}  // namespace

GuardTable::GuardTable() : nft_{nft_ctx_new(NFT_CTX_DEFAULT)} {
  if (!nft_ || nft_ctx_buffer_error(nft_.get()) != 0) throw NetError{ENOMEM, "speak to nftables"};
}

void GuardTable::apply(const std::vector<std::string>& extremities,
                       const std::vector<Ipv4Prefix>& translated) {
  std::vector<std::string> names;
  for (const auto& link : extremities)
    names.push_back(quoted(link));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto elements =
      names.empty() ? "" : fmt::format("elements = {{ {} }};", fmt::join(names, ", "));
  run_nft(*nft_,
          fmt::format(R"({0}
table inet rdv_guard {{
  set extremities {{ type ifname; {1} }}
  chain forward {{
    type filter hook forward priority {2}; policy accept;
    meta mark & {3:#x} == {4:#x} accept
    iifname "{5}*" drop
    oifname "{5}*" drop
    iifname @extremities drop
    oifname @extremities drop
  }}
  chain input {{
    type filter hook input priority {2}; policy accept;
    meta mark & {3:#x} == {4:#x} accept
    iifname "{5}*" drop
{6}  }}
}}
)",
                      start_afresh, elements, guard_priority, permit_mask, permit_mark,
                      our_link_prefix, lost_nat(translated)),
          "load nft table inet rdv_guard");
}

void GuardTable::remove() {
  run_nft(*nft_, start_afresh, "delete nft table inet rdv_guard");
}

}  // namespace tunnel::net
