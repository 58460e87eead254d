#include "net/nft_table.hpp"

#include "net/net_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

namespace tunnel::net {
namespace {

constexpr std::size_t quoted_chars_max = 100;

/// The first complaint in nft's output, with the line it is about: "syntax error, unexpected '}',
/// in: chain a { x }".
std::string first_complaint(std::string_view text) {
  constexpr std::string_view word = "Error: ";
  if (const auto at = text.find(word); at != std::string_view::npos)
    text.remove_prefix(at + word.size());
  const auto end = text.find('\n');
  std::string complaint{text.substr(0, end)};
  if (end == std::string_view::npos) return complaint;
  text.remove_prefix(end + 1);
  auto line = text.substr(0, text.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (!line.empty()) complaint += fmt::format(", in: {}", line.substr(0, quoted_chars_max));
  return complaint;
}

std::string block(const char* verb, const NftTable::Spec& spec) {
  return fmt::format("{} table {} {} {{\nflags owner;\n{}\n}}\n", verb, spec.family, spec.name,
                     spec.body);
}

}  // namespace

void run_nft(nft_ctx& nft, const std::string& commands, const std::string& attempted) {
  errno = 0;
  if (nft_run_cmd_from_buffer(&nft, commands.c_str()) == 0) return;
  const int kernels = errno;
  const std::string_view text = nft_ctx_get_error_buffer(&nft);
  // errno is the kernel's only when it was asked; after a syntax error it is arbitrary.
  const bool asked = text.find("Could not process rule") != std::string_view::npos ||
                     text.find("netlink") != std::string_view::npos;
  throw NetError{asked && kernels != 0 ? kernels : EINVAL,
                 fmt::format("{} ({})", attempted, first_complaint(text))};
}

NftTable::NftTable(const Spec& spec) : spec_{spec}, nft_{nft_ctx_new(NFT_CTX_DEFAULT)} {
  const auto attempted = fmt::format("load nft table {} {}", spec_.family, spec_.name);
  if (!nft_ || nft_ctx_buffer_error(nft_.get()) != 0) throw NetError{ENOMEM, attempted};
  run_nft(*nft_, block("create", spec_), attempted);
}

void NftTable::replace(const std::string& body) {
  auto next = spec_;
  next.body = body;
  run_nft(*nft_,
          fmt::format("delete table {} {}\n{}", spec_.family, spec_.name, block("add", next)),
          fmt::format("replace nft table {} {}", spec_.family, spec_.name));
  spec_ = std::move(next);
}

}  // namespace tunnel::net
