#include "net/nft_table.hpp"

#include "net/net_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace tunnel::net {
namespace {

/// The first complaint in nft's output: "syntax error, unexpected '}'". The line of the script that
/// nft prints with it is not the right one when the script came from memory.
std::string first_complaint(std::string_view text) {
  constexpr std::string_view word = "Error: ";
  if (const auto at = text.find(word); at != std::string_view::npos)
    text.remove_prefix(at + word.size());
  return std::string{text.substr(0, text.find('\n'))};
}

/// The errno that nft has put into words. The variable errno is of its last complaint, and
/// arbitrary after a mistake in the script.
int errno_of(const std::string& complaint) {
  constexpr int errno_max = 133;
  for (int value = 1; value <= errno_max; ++value)
    if (complaint.ends_with(std::string{": "} + std::generic_category().message(value)))
      return value;
  return EINVAL;
}

/// The table with its contents; `create` makes that fail when there is one already.
std::string table(const char* verb, const NftTable::Spec& spec) {
  // nft 1.0.6 takes no chains in a `create table` block, but silently: hence two statements, in one
  // transaction.
  return fmt::format(
      "{0} table {1} {2} {{ flags owner; }}\ntable {1} {2} {{\nflags owner;\n{3}\n}}\n", verb,
      spec.family, spec.name, spec.body);
}

}  // namespace

void run_nft(nft_ctx& nft, const std::string& commands, const std::string& attempted) {
  if (nft_run_cmd_from_buffer(&nft, commands.c_str()) == 0) return;
  const auto complaint = first_complaint(nft_ctx_get_error_buffer(&nft));
  const bool kernels =
      complaint.starts_with("Could not process rule");  // then the errno says it all
  throw NetError{errno_of(complaint),
                 kernels ? attempted : fmt::format("{} ({})", attempted, complaint)};
}

NftTable::NftTable(const Spec& spec) : spec_{spec}, nft_{nft_ctx_new(NFT_CTX_DEFAULT)} {
  const auto attempted = fmt::format("load nft table {} {}", spec_.family, spec_.name);
  if (!nft_ || nft_ctx_buffer_error(nft_.get()) != 0) throw NetError{ENOMEM, attempted};
  run_nft(*nft_, table("create", spec_), attempted);
}

void NftTable::replace(const std::string& body) {
  auto next = spec_;
  next.body = body;
  run_nft(*nft_,
          fmt::format("delete table {} {}\n{}", spec_.family, spec_.name, table("add", next)),
          fmt::format("replace nft table {} {}", spec_.family, spec_.name));
  spec_ = std::move(next);
}

}  // namespace tunnel::net
