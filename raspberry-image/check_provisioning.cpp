#include "provision/provisioning.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <variant>

/// Says what is wrong with the provisioning file on standard input, as the device would when it has
/// started with it. Exit code: 0 nothing, 1 something.
int main() {
  using namespace tunnel::provision;
  std::string text(file_bytes_max + 1,
                   '\0');  // one more than allowed is enough to see that it is too long
  text.resize(std::fread(text.data(), 1, text.size(), stdin));
  const auto outcome = check(text);
  const auto* problems = std::get_if<Problems>(&outcome);
  if (!problems) return 0;
  for (const Problem& problem : *problems)
    fmt::print(stderr, "provision: {}\n", problem.str());
  return 1;
}
