#pragma once
#include "component/device/cli_harness.hpp"

#include <boost/test/unit_test.hpp>

/// A session as an agent tells it, and an agent that gives one to everybody who asks.
namespace device::test {

using sdbus::Variant;

inline constexpr std::uint64_t id = 7;

inline Facts established_facts() {
  return {{"session", Variant{std::string{"00000000000000ff"}}},
          {"peer", Variant{std::string{"rpi1100"}}},
          {"lan", Variant{std::string{"192.168.1.10/24"}}},
          {"dns", Variant{std::vector<std::string>{"192.168.1.1"}}},
          {"echo_ms", Variant{12.0}},
          {"open_ms", Variant{43.0}}};
}

inline Facts closed_facts(const std::string& code, const std::string& text, bool failed) {
  return {{"code", Variant{code}},
          {"text", Variant{text}},
          {"failed", Variant{failed}},
          {"rx_bytes", Variant{std::uint64_t{12'300'000}}},
          {"tx_bytes", Variant{std::uint64_t{1'200'000}}},
          {"seconds", Variant{std::uint64_t{250}}}};
}

inline constexpr auto established_line =
    "established: rpi1100, LAN 192.168.1.10/24, DNS 192.168.1.1, after 0.043 s";
inline constexpr auto closed_line =
    "session closed: the engineer ended it; 12.3 MB received, 1.2 MB sent in 4 min 10 s";

/// An agent that establishes every session at once and closes it when asked.
struct Willing : Device {
  Willing() {
    agent->on_open = [this](const std::string&, const Facts& options) {
      opened = options;
      // Before the reply on purpose: a fast agent's signals may overtake it.
      agent->say(id, "opening", {});
      agent->say(id, "established", established_facts());
      return id;
    };
    agent->on_close = [this](std::uint64_t which, const std::string& why) {
      reason = why;
      agent->say(which, "closed", closed_facts("operator", "the engineer ended it", false));
    };
  }
  Facts opened;
  std::string reason;
};

inline bool says(const Command& command, const std::string& text) {
  const bool said = command.complaints().find(text) != std::string::npos;
  if (!said) BOOST_TEST_MESSAGE("standard error was: " << command.complaints());
  return said;
}

}  // namespace device::test
