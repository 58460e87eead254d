#include "fuzz/input.hpp"
#include "provision/provisioning.hpp"
#include "provision/values.hpp"

/// A file on a card's FAT partition, which anybody may have written.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tunnel::provision;
  tunnel::fuzz::Input input{data, size};
  const bool as_key = input.below(4) == 0;
  const auto bytes = input.take_rest();
  const auto text = tunnel::as_text(bytes);
  if (as_key) {
    static_cast<void>(ssh_key_problem(text));
    return 0;
  }
  const auto checked = check(text);
  if (const auto* problems = std::get_if<Problems>(&checked)) {
    FUZZ_REQUIRE(!problems->empty() && problems->size() <= problems_max);
    return 0;
  }
  const auto again = check(to_toml(std::get<Provisioning>(checked)), Code::none);
  FUZZ_REQUIRE(std::holds_alternative<Provisioning>(again));
  return 0;
}
