#include "cli/reopening.hpp"

#include <algorithm>
#include <array>

namespace device::cli {

using tunnel::Clock;

namespace {

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

/// What ends a session when a device's service was killed or a path is lost for good. Anything
/// else was somebody's will, or would be no better the next time.
constexpr std::array<std::string_view, 5> breaks{"agent_gone", "kernel", "network", "peer_lost",
                                                 "no_echo"};
/// What an attempt meets while the services of both devices come back.
constexpr std::array<std::string_view, 12> passing{
    "agent_gone", "kernel",   "network",       "peer_lost", "no_echo",  "offline",
    "no_answer",  "declined", "not_connected", "busy",      "no_reply", "no_interface"};
/// The agent does not answer, or says that netd does not.
constexpr std::array<std::string_view, 5> no_service{"service_unknown", "name_has_no_owner",
                                                     "timeout", "failed", "disconnected"};

}  // namespace

void Reopening::on_established(Clock::time_point now) {
  held_ = is_whole_ = true;
  established_ = now;
  attempt_.reset();
}

void Reopening::begin_break(Clock::time_point now) {
  if (!is_whole_) return;
  is_whole_ = false;
  broke_ = now;
  if (now - established_ < good_after && story_began_ != Clock::time_point{}) return;
  story_began_ = now;
  delay_ = first_delay;
}

void Reopening::on_interrupted(Clock::time_point now) {
  begin_break(now);
}

bool Reopening::on_lost(std::string_view code, Clock::time_point now) {
  if (!held_) return false;
  const bool is_attempt = is_broken();
  begin_break(now);
  if (!is_attempt) lost_ = now;
  attempt_.reset();
  const bool no_one_there = is_one_of(code, no_service);
  const bool may_pass =
      is_attempt ? is_one_of(code, passing) || no_one_there : is_one_of(code, breaks);
  if (!may_pass || now - story_began_ >= give_up_after) return false;
  if (no_one_there && now - lost_ >= service_back_within) return false;
  attempt_ = now + delay_;
  delay_ = std::min<Clock::duration>(delay_ * 2, delay_cap);
  return true;
}

}  // namespace device::cli
