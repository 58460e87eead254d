#pragma once
#include "provision/provisioning.hpp"

#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tunnel::provision {

enum class Need : bool { no, yes };
using Check = std::function<std::string(std::string_view)>;  ///< what is wrong with a value, or ""

/// One table of a file, read key by key; what is wrong is added to the problems.
class Reader {
 public:
  /// @param prefix  before a key in what is said, "[uplink] "
  Reader(const toml::table& table, std::string prefix, Problems& problems)
      : table_{&table}, prefix_{std::move(prefix)}, problems_{&problems} {}

  bool has(std::string_view key) const { return table_->contains(key); }
  /// Every other key is a problem.
  /// @param where  "with kind = \"dhcp\""
  void only(std::initializer_list<std::string_view> known, std::string_view where = "here");
  /// @return whether `out` has a good value now, or may keep the one it had
  bool text(std::string_view key, std::string& out, Need need, const Check& check);
  void texts(std::string_view key, std::vector<std::string>& out, Need need, std::size_t most,
             const Check& check);
  /// The key "format" must be this number.
  void format(std::int64_t expected);
  /// Of an absent one every key is absent.
  Reader section(std::string_view key);

 private:
  bool add(std::size_t line, std::string_view key, std::string why);
  const toml::node* find(std::string_view key, Need need);

  const toml::table* table_;
  std::string prefix_;
  Problems* problems_;
};

}  // namespace tunnel::provision
