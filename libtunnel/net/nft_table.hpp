#pragma once
#include "net/message.hpp"

#include <nftables/libnftables.h>

#include <memory>
#include <string>

namespace tunnel::net {

/// A table in nftables that the kernel removes when this object, or the process, goes away.
///
/// Loading is one transaction: the kernel has the whole table or nothing of it. The table carries
/// `flags owner` (Linux 5.12), which ties it to our netlink socket: it needs no clean-up code, not
/// even after SIGKILL, and another program's `nft flush ruleset` leaves it alone.
class NftTable {
 public:
  struct Spec {
    std::string family = "ip";  ///< ip, ip6, inet, …
    std::string name;           ///< e.g. "rdv_session"; nobody else may use it
    std::string body;  ///< chains and sets in nft(8) syntax, without the enclosing `table` block
  };

  /// @throws NetError with nft's own message, EEXIST when there is such a table; then the kernel is
  /// unchanged.
  explicit NftTable(const Spec& spec);

  /// Replaces everything in the table, in one transaction: no packet meets half of it.
  /// @throws NetError; then the table is as before.
  void replace(const std::string& body);

 private:
  Spec spec_;
  std::unique_ptr<nft_ctx, Freed<nft_ctx_free>> nft_;
};

/// Runs commands in nft(8) syntax as one transaction.
/// @throws NetError saying `attempted` and nft's first complaint; then the kernel is unchanged.
void run_nft(nft_ctx& nft, const std::string& commands, const std::string& attempted);

}  // namespace tunnel::net
