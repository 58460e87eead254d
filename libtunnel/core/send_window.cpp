#include "core/send_window.hpp"

#include "core/ack_clock.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tunnel::core {
namespace {

constexpr Clock::duration unknown = Clock::duration::max() / 4;  // sums of it stay in range
constexpr Clock::duration speed_over = std::chrono::milliseconds{50};
constexpr Clock::duration rate_slot = std::chrono::milliseconds{500};
constexpr double two_packets_bytes = 2 * 1514;
constexpr double two_packets_max = 0.025;  ///< seconds: at 1 Mbit/s
constexpr int samples_enough = 4;
constexpr Clock::duration at_once = std::chrono::milliseconds{10};
constexpr Clock::duration hole_min = std::chrono::milliseconds{15};
constexpr Clock::duration loss_memory = std::chrono::seconds{1};

double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

SendWindow::SendWindow(Settings settings)
    : settings_{settings},
      window_{settings.initial_bytes},
      round_trip_min_{unknown},
      base_{unknown} {}

Clock::duration SendWindow::base_round_trip() const {
  return base_ == unknown ? Clock::duration::zero() : base_;
}

/// Two packets at least: on a slow line one is longer than the target.
Clock::duration SendWindow::queue_target() const {
  const auto two_packets = rate_ > 0 ? std::min(two_packets_max, two_packets_bytes / rate_) : 0;
  return std::max(settings_.queue_target, std::chrono::duration_cast<Clock::duration>(
                                              std::chrono::duration<double>{two_packets}));
}

void SendWindow::on_sent(std::size_t bytes, Clock::time_point now) {
  if (bytes_in_flight() == 0) {
    // After a pause the old rate may not be true any more: begin again, from the lower the longer
    // it was.
    const auto idle = now - last_sent_;
    if (sent_ > 0 && idle > settings_.idle_after) {
      const auto halvings = std::min(20.0, seconds(idle) / seconds(settings_.idle_after));
      window_ =
          std::max(std::min(window_, settings_.initial_bytes),
                   static_cast<std::size_t>(static_cast<double>(window_) * std::exp2(-halvings)));
      state_ = State::startup;
    }
    acked_at_ = first_sent_ = now;
  }
  last_sent_ = now;
  sent_ += bytes;
  if (marks_count_ == marks_max) {  // the newest stands for more
    marks_[(mark_begin_ + marks_count_ - 1) % marks_max].end = sent_;
    return;
  }
  marks_[(mark_begin_ + marks_count_++) % marks_max] = {sent_,     now,         acked_,
                                                        acked_at_, first_sent_, limited_};
}

bool SendWindow::on_ack(const wire::Ack& ack, Clock::time_point now) {
  if (ack.received_bytes > sent_ || ack.received_bytes < acked_) return false;
  const auto news = ack.received_bytes - acked_;
  if (news == 0) return true;
  acked_ = ack.received_bytes;
  if (state_ == State::startup && (limited_ || 2 * (sent_ - acked_ + news) > window_))
    set_window(static_cast<double>(window_) + static_cast<double>(news));
  // After a drain the way fills again about as fast as it carries: all at once would be a queue.
  if (refill_ > 0) {
    set_window(std::min(refill_, static_cast<double>(window_) + static_cast<double>(news) / 3));
    if (static_cast<double>(window_) >= refill_) refill_ = 0;
  }
  const auto oldest = marks_[mark_begin_];
  const Mark* newest = nullptr;
  while (marks_count_ > 0 && marks_[mark_begin_].end <= acked_) {
    newest = &marks_[mark_begin_];
    mark_begin_ = (mark_begin_ + 1) % marks_max;
    --marks_count_;
  }
  if (newest == nullptr) return true;
  const auto held = std::min<Clock::duration>(ack.held, now - newest->sent);
  note_release(oldest, *newest, now - held);
  take_sample(*newest, now - held, now);
  measure_speed(now - held);
  const bool round_over = newest->end >= round_end_ && now - round_began_ >= settings_.round_min;
  if (round_over) end_round(now);
  return true;
}

/// TCP below us delivers in order: when it loses a segment, nothing arrives for a round trip, and
/// then all that waited behind it at once, the newest of it with no delay. A queue does not empty
/// that fast: what comes out of one comes no faster than the way carries, though the next packet,
/// sent after a pause, may have waited far less than the one before.
void SendWindow::note_release(const Mark& oldest, const Mark& newest, Clock::time_point received) {
  const auto longest = received - oldest.sent;
  if (received - longest_at_ > at_once || longest >= longest_) {
    longest_ = longest;
    longest_at_ = received;
    longest_end_ = oldest.end;
  }
  received_ = received;
  const auto spread = longest_ - (received - newest.sent);
  if (spread < std::max(hole_min, base_round_trip() / 4)) return;
  const auto came = static_cast<double>(newest.end - longest_end_);
  if (came < rate_ * seconds(received - longest_at_) + two_packets_bytes) return;
  released_ = received;
  late_since_.reset();
}

/// Lately the stream below had holes: most packets meet one, and then their delay says nothing
/// about a queue.
bool SendWindow::loses() const {
  return released_ != Clock::time_point{} &&
         received_ - released_ < std::max(loss_memory, 8 * base_round_trip());
}

void SendWindow::take_sample(const Mark& mark, Clock::time_point received, Clock::time_point now) {
  const auto round_trip = received - mark.sent;
  const bool was_held_up = mark.sent <= released_;  // by a lost segment, maybe
  if (!was_held_up) round_trip_min_ = std::min(round_trip_min_, round_trip);
  if (base_ == unknown || round_trip <= base_ + queue_target() / 8) base_seen_ = now;
  base_ = std::min(base_, round_trip);

  // Delivery rate as in BBR (draft-cheng-iccrg-delivery-rate-estimation-02, 2.2): over the longer
  // of the times it took to send and to receive, so that neither bursts nor stalls count as speed.
  const auto elapsed = std::max(received - mark.acked_at, mark.sent - mark.first_sent);
  acked_at_ = received;
  first_sent_ = mark.sent;
  if (elapsed > Clock::duration::zero() && elapsed >= base_) {
    const auto rate = static_cast<double>(acked_ - mark.acked_before) / seconds(elapsed);
    if (mark.limited || rate > rate_) round_rate_ = std::max(round_rate_, rate);
  }
  rate_ = std::max(rate_, round_rate_);
  if (!was_held_up) watch_delay(round_trip, now);
}

/// Does not wait for the round's end, which a queue puts off. In startup a queue is what every
/// packet of the round has met, even its first (HyStart, RFC 9406): the doubling ends. Later, only
/// packets that are late one after the other for some time say that the way has become slower.
void SendWindow::watch_delay(Clock::duration round_trip, Clock::time_point now) {
  const auto target = queue_target();
  if (state_ == State::startup) {
    const auto queue = std::max(settings_.queue_target, base_ / 16);
    if (++round_samples_ < samples_enough || round_trip_min_ <= base_ + queue) return;
    state_ = State::steady;
    growth_ = 0;
    late_since_.reset();
    set_window(room(target));
    return;
  }
  if (keep_busy_) return;
  const bool late = round_trip > base_ + 4 * target && state_ != State::draining && !cut_;
  if (!late || !late_since_) late_since_ = late ? std::optional{now} : std::nullopt;
  if (!late || now - *late_since_ < std::max(target, base_ / 4)) return;
  round_end_ = sent_;
  refill_ = 0;
  growth_ = 0;
  forget_rate(speed_ > 0 ? speed_ : rate_ / 2);
  if (++heavy_ > 1) return begin_drain(now);
  cut_ = settling_ = true;
  set_window(room(target));
}

/// What arrives just now, unlike the rate, which is what the way can do at best: the better of the
/// last two stretches, since one may be a pause.
void SendWindow::measure_speed(Clock::time_point received) {
  const auto elapsed = received - speed_since_;
  const auto stretch = std::max(speed_over, base_ / 2);
  if (elapsed < stretch) return;
  const auto speed = static_cast<double>(acked_ - speed_acked_) / seconds(elapsed);
  speed_ = std::max(speed, speed_before_);
  speed_before_ = speed;
  speed_since_ = received;
  speed_acked_ = acked_;
}

void SendWindow::end_round(Clock::time_point now) {
  const auto queue = round_trip_min_ - base_;
  if (state_ != State::draining) {
    remember_rate(now);
  }
  if (state_ == State::draining) {
    if (--drain_rounds_ == 0) end_drain(now);
  } else if (std::exchange(settling_, false)) {
    // What this round saw was still the window before.
  } else if (refill_ > 0) {
    // On its way already.
  } else if (round_trip_min_ == unknown) {
    // For a moment it may be a scheduler's doing, or a radio's.
    if (limited_ && (keep_busy_ || now - sighted_ > loss_memory)) set_window(room_with_holes());
  } else if (state_ == State::steady && limited_) {
    steer(queue);
    settling_ = true;
    if (now - base_seen_ > settings_.base_life || heavy_ >= 3) begin_drain(now);
  } else if (now - base_seen_ > settings_.base_life) {
    base_ = round_trip_min_;  // nothing of ours stands on the way: this is what it is now
    base_seen_ = now;
  }
  if (round_trip_min_ != unknown) sighted_ = now;
  round_end_ = sent_;
  round_began_ = now;
  round_trip_min_ = unknown;
  round_rate_ = 0;
  round_samples_ = 0;
  limited_ = cut_ = false;
}

/// The window for the next round, from the least queue that stood in this one.
void SendWindow::steer(Clock::duration queue) {
  const auto target = queue_target();
  const auto window = static_cast<double>(window_);
  if (keep_busy_) return set_window(room_with_holes());
  if (queue > 2 * target) {
    growth_ = 0;
    if (heavy_++ == 0) return;  // one round may have been held up by a loss
    forget_rate(round_rate_ > 0 ? round_rate_ : rate_ / 2);
    set_window(room(target));
    return;
  }
  heavy_ = 0;
  // What one acknowledgement releases leaves together, and its last packet waits for its first.
  const auto together =
      rate_ > 0 ? std::min(seconds(target) / 2, AckClock::enough_bytes / rate_) : 0;
  if (seconds(queue) < seconds(target) / 2 + together) {
    const auto step = rate_ * seconds(target) / 2 * std::exp2(std::min(growth_++, 20));
    set_window(std::min(2 * window, std::max(window, room(target)) + step));
  } else {
    growth_ = 0;
    set_window((window + room(target)) / 2);
  }
}

/// Less than the way holds for two rounds: in the first the queue goes, the second sees the way as
/// it is. When that was far shorter than we thought, what we kept on it was more than it holds, and
/// there may be a queue yet: once more.
void SendWindow::begin_drain(Clock::time_point now) {
  state_ = State::draining;
  refill_ = 0;
  drain_rounds_ = 2;
  base_seen_ = now;
  drained_base_ = base_;
  const auto way = rate_ * seconds(base_);
  set_window(std::min(0.75 * way, 0.75 * static_cast<double>(window_)));
}

void SendWindow::end_drain(Clock::time_point now) {
  const auto far = std::max(drained_base_ / 8, queue_target() / 2);
  if (round_trip_min_ < drained_base_ - far) {
    base_ = round_trip_min_;
    return begin_drain(now);
  }
  state_ = State::steady;
  base_seen_ = now;
  late_since_.reset();
  if (round_trip_min_ != unknown) {
    // A way that was found longer than we thought was starved until now: it may grow at once.
    growth_ = round_trip_min_ > base_ + queue_target() ? 3 : 0;
    base_ = round_trip_min_;
  }
  heavy_ = 0;
  refill_ = std::floor(room(queue_target()));
}

/// The best of the last seconds: a round that was slowed by something else than the way (a
/// program, a scheduler, another controller below us) must not make the window smaller, or the next
/// round would be slower still.
void SendWindow::remember_rate(Clock::time_point now) {
  if (now - rate_since_ >= rate_slot) {
    rate_since_ = now;
    rates_[++rate_slot_ % rate_slots] = 0;
  }
  auto& slot = rates_[rate_slot_ % rate_slots];
  slot = std::max(slot, round_rate_);
  rate_ = *std::max_element(rates_.begin(), rates_.end());
}

void SendWindow::forget_rate(double now) {
  rates_.fill(0);
  rates_[rate_slot_ % rate_slots] = rate_ = now;
}

/// What the way holds with so much of a queue.
double SendWindow::room(Clock::duration beyond_base) const {
  return rate_ * seconds(base_round_trip() + beyond_base);
}

/// As many bytes wait behind a hole as are sent in the round trip that it takes to fill it.
double SendWindow::room_with_holes() const {
  return room(base_round_trip() * 3 / 2 + queue_target());
}

void SendWindow::set_window(double bytes) {
  if (loses() || keep_busy_)
    bytes =
        std::min(bytes, std::max(room_with_holes(), static_cast<double>(settings_.initial_bytes)));
  window_ = static_cast<std::size_t>(std::clamp(bytes, static_cast<double>(settings_.floor_bytes),
                                                static_cast<double>(settings_.max_bytes)));
}

}  // namespace tunnel::core
