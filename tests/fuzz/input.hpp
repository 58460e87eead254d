#pragma once
#include "base/bytes.hpp"
#include "base/endian.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// What every fuzz target needs. libFuzzer and run_corpus.cpp both call this function.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

/// A promise that no input may break.
#define FUZZ_REQUIRE(promise)                                                            \
  do {                                                                                   \
    if (!(promise)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

namespace tunnel::fuzz {

/// The fuzzer's bytes as a source of decisions; what is missing at the end is zero.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{std::as_bytes(std::span{data, size})} {}

  bool empty() const { return rest_.empty(); }
  template <class Number = std::uint8_t>
  Number take() {
    std::array<std::byte, sizeof(Number)> bytes{};
    const auto taken = take_bytes(bytes.size());
    std::copy(taken.begin(), taken.end(), bytes.begin());
    return load_big_endian<Number>(bytes);
  }
  bool flag() { return (take() & 1U) != 0; }
  /// 0 to count-1.
  std::size_t below(std::size_t count) { return take() % count; }
  ByteView take_bytes(std::size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// A length (2 bytes) and as many bytes.
  ByteView take_block() { return take_bytes(take<std::uint16_t>()); }
  ByteView take_rest() { return take_bytes(rest_.size()); }

 private:
  ByteView rest_;
};

}  // namespace tunnel::fuzz
