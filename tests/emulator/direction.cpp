#include "emulator/direction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace emulator {
namespace {

constexpr double nanoseconds_per_second = 1e9;

}  // namespace

void Direction::set(const Settings& settings, Clock::time_point now) {
  advance(now);
  const auto old_rate = settings_.rate_bps;
  settings_ = settings;
  if (!settings_.open) lose_everything(now);
  if (queue_.empty() || settings_.rate_bps == old_rate) return;
  // The frame that is being transmitted goes on at the new rate.
  const auto left = static_cast<double>((departs_ - now).count());
  const auto scale = settings_.rate_bps == 0
                         ? 0.0
                         : static_cast<double>(old_rate) / static_cast<double>(settings_.rate_bps);
  departs_ = now + Clock::duration{std::llround(left * scale)};
  advance(now);
}

void Direction::arrive(FramePtr frame, Clock::time_point arrived) {
  advance(arrived);
  const auto bytes = frame->bytes;
  ++counters_.rx_frames;
  counters_.rx_bytes += bytes;
  if (!settings_.open) {
    ++counters_.dropped_closed;
    return;
  }
  if (frames() >= frames_max) {
    ++counters_.dropped_limit;
    return;
  }
  if (settings_.rate_bps == 0 && queue_.empty()) {
    departs_ = std::max(departs_, arrived);
    launch(std::move(frame), arrived);
    return;
  }
  if (queued_bytes_ + bytes > settings_.queue_bytes) {
    ++counters_.dropped_queue;
    return;
  }
  queued_bytes_ += bytes;
  counters_.queue_bytes_max = std::max(counters_.queue_bytes_max, queued_bytes_);
  queue_.push_back({std::move(frame), arrived});
  if (queue_.size() == 1) start_transmission();
}

FramePtr Direction::take_due(Clock::time_point now) {
  advance(now);
  if (under_way_.empty() || under_way_.front().due > now) return nullptr;
  auto [frame, due] = std::move(under_way_.front());
  under_way_.pop_front();
  last_due_ = due;
  ++counters_.tx_frames;
  counters_.tx_bytes += frame->bytes;
  return std::move(frame);
}

std::optional<Clock::time_point> Direction::next_due() const {
  if (!under_way_.empty()) return under_way_.front().due;
  if (!queue_.empty()) return departs_ + settings_.delay;
  return std::nullopt;
}

void Direction::reset_counters() {
  counters_ = {};
  counters_.queue_bytes_max = queued_bytes_;
}

/// Everything whose transmission has ended by `now` is under way then.
void Direction::advance(Clock::time_point now) {
  while (!queue_.empty() && departs_ <= now) {
    auto frame = std::move(queue_.front().frame);
    queue_.pop_front();
    queued_bytes_ -= frame->bytes;
    launch(std::move(frame), departs_);
    if (!queue_.empty()) start_transmission();
  }
}

void Direction::start_transmission() {
  const auto& first = queue_.front();
  departs_ = std::max(departs_, first.arrived) + transmission(first.frame->bytes);
}

void Direction::launch(FramePtr frame, Clock::time_point departed) {
  if (is_lost()) {
    ++counters_.dropped_loss;
    return;
  }
  const auto due = departed + settings_.delay;
  const auto before = under_way_.empty() ? last_due_ : under_way_.back().due;
  under_way_.push_back({std::move(frame), std::max(due, before)});
}

void Direction::lose_everything(Clock::time_point now) {
  counters_.dropped_closed += frames();
  queue_.clear();
  under_way_.clear();
  queued_bytes_ = 0;
  departs_ = std::min(departs_, now);
}

bool Direction::is_lost() {
  if (settings_.loss_percent <= 0) return false;
  constexpr auto range = static_cast<double>(std::numeric_limits<std::uint64_t>::max());
  return static_cast<double>(random_()) < settings_.loss_percent / 100 * range;
}

Clock::duration Direction::transmission(std::size_t bytes) const {
  if (settings_.rate_bps == 0) return {};
  const auto seconds = static_cast<double>(bytes) * 8 / static_cast<double>(settings_.rate_bps);
  return Clock::duration{std::llround(seconds * nanoseconds_per_second)};
}

}  // namespace emulator
