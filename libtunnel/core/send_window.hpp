#pragma once
#include "base/clock.hpp"
#include "wire/ack.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tunnel::core {

/// How many bytes may be on their way to the other end, so that the way is full and no more: what
/// waits beyond that waits in our own queues, where a keystroke overtakes a file copy (DESIGN 5,
/// SPIKE.md "Bufferbloat"). The credit comes from the other end's acknowledgements, so it does not
/// matter whose buffer would fill: ours, the relay's, or a modem's anywhere between. Pure.
///
///   startup --a queue stands on the way--> steady --every base_life--> draining --2 rounds-->
///   steady
///      ^------------- idle, or the way got much better -----'
///
/// steady: window = rate x (base round trip + queue_target), the rate being the best of the last
/// seconds, as delivered; a round without a queue lets it grow, faster each time; one with far too
/// much of it makes the rate what arrives now. Packets that waited behind a segment which TCP below
/// us had lost say nothing about a queue: they do not count. draining: less than the way holds, so
/// that the true round trip shows. Otherwise our own standing queue would be taken for distance,
/// and distance, or somebody else's queue, for ours.
class SendWindow {
 public:
  struct Settings {
    Clock::duration queue_target = std::chrono::milliseconds{9};
    std::size_t initial_bytes = 16 * 1024;
    std::size_t floor_bytes = 3000;  ///< two packets: less would stop and go
    std::size_t max_bytes = 64U << 20U;
    Clock::duration base_life = std::chrono::seconds{5};
    Clock::duration round_min = std::chrono::milliseconds{5};
    Clock::duration idle_after = std::chrono::seconds{1};
  };

  SendWindow() : SendWindow{Settings{}} {}
  explicit SendWindow(Settings settings);

  /// More may be sent. The last packet may reach beyond the window.
  bool is_open() const { return sent_ - acked_ < window_; }
  /// What may be sent at once; at least 1 when open.
  std::size_t allowance() const {
    return is_open() ? window_ - static_cast<std::size_t>(sent_ - acked_) : 0;
  }
  void on_sent(std::size_t bytes, Clock::time_point now);
  /// Something to send waits for the window, not for the program that makes it.
  void on_limited() { limited_ = true; }
  /// @return false: it acknowledges what was never sent, or takes back what it acknowledged
  [[nodiscard]] bool on_ack(const wire::Ack& ack, Clock::time_point now);

  /// A controller below us (BBR, on a leg that loses) holds the queue short by itself, and finds
  /// the rate only while it has always something to send.
  void keep_busy() { keep_busy_ = true; }

  std::uint64_t bytes_in_flight() const { return sent_ - acked_; }
  std::size_t window() const { return window_; }
  /// What the way delivered at best, lately; bytes per second, 0 while not known.
  double rate() const { return rate_; }
  /// The round trip without a queue; zero while not known.
  Clock::duration base_round_trip() const;

 private:
  enum class State : std::uint8_t { startup, steady, draining };

  /// Of some bytes that were sent together.
  struct Mark {
    std::uint64_t end = 0;  ///< of these bytes, counted from the session's start
    Clock::time_point sent;
    std::uint64_t acked_before = 0;  ///< when they were sent
    Clock::time_point acked_at;      ///< when that had been received
    Clock::time_point first_sent;    ///< when the newest of those had been sent
    bool limited = false;
  };
  static constexpr std::size_t marks_max = 1024;
  static constexpr std::size_t rate_slots = 6;  ///< of half a second

  Clock::duration queue_target() const;
  void take_sample(const Mark& mark, Clock::time_point received, Clock::time_point now);
  void note_release(const Mark& oldest, const Mark& newest, Clock::time_point received);
  bool loses() const;
  void watch_delay(Clock::duration round_trip, Clock::time_point now);
  void measure_speed(Clock::time_point received);
  void end_round(Clock::time_point now);
  void steer(Clock::duration queue);
  void begin_drain(Clock::time_point now);
  void end_drain(Clock::time_point now);
  void remember_rate(Clock::time_point now);
  void forget_rate(double now);
  void set_window(double bytes);
  double room(Clock::duration beyond_base) const;
  double room_with_holes() const;

  Settings settings_;
  State state_ = State::startup;
  std::size_t window_;
  std::uint64_t sent_ = 0, acked_ = 0;
  Clock::time_point last_sent_{}, acked_at_{}, first_sent_{};

  std::array<Mark, marks_max> marks_;
  std::size_t mark_begin_ = 0, marks_count_ = 0;

  bool keep_busy_ = false;
  bool limited_ = false;
  std::uint64_t round_end_ = 0;
  Clock::time_point round_began_{};
  Clock::time_point sighted_{};       ///< the end of a round in which not all was held up by holes
  Clock::duration round_trip_min_{};  ///< of this round
  double round_rate_ = 0;
  std::array<double, rate_slots> rates_{};
  std::size_t rate_slot_ = 0;
  Clock::time_point rate_since_{};
  double rate_ = 0;

  Clock::time_point received_{};  ///< when the newest acknowledged byte was
  Clock::duration longest_{};     ///< round trip of those that were received just now
  Clock::time_point longest_at_{};
  std::uint64_t longest_end_ = 0;  ///< the bytes up to the one that took it
  Clock::time_point released_{};   ///< when a hole in the stream below us was filled last

  double refill_ = 0;  ///< where the window goes to after a drain; 0: nowhere

  double speed_before_ = 0;
  double speed_ = 0;  ///< what arrives just now; bytes per second, 0 while not known
  Clock::time_point speed_since_{};
  std::uint64_t speed_acked_ = 0;

  Clock::duration base_;                         ///< the round trip without a queue
  Clock::time_point base_seen_{};                ///< when a packet took no longer than that
  std::optional<Clock::time_point> late_since_;  ///< no packet was in time since
  int round_samples_ = 0;
  int growth_ = 0;    ///< rounds in a row without a queue
  int heavy_ = 0;     ///< rounds in a row with far too much of it
  bool cut_ = false;  ///< in this round, because the way has become slower
  int drain_rounds_ = 0;
  Clock::duration drained_base_{};  ///< when the drain began
  bool settling_ = false;  ///< the window was changed, and the next round does not show it yet
};

}  // namespace tunnel::core
