#pragma once
#include "net/signal.hpp"

#include <functional>
#include <map>

namespace rdv {

/// The deadlines of all connections of one thread on one timer: an idle connection then costs
/// neither a timer nor a coroutine of its own.
class Deadlines {
 public:
  explicit Deadlines(const asio::any_io_executor& executor);

  /// Calls what is due, until stop().
  Task<> run();
  void stop();

 private:
  friend class Deadline;
  using ByTime = std::multimap<tunnel::Clock::time_point, class Deadline*>;
  ByTime::iterator add(tunnel::Clock::time_point when, Deadline& deadline);
  void call_due(tunnel::Clock::time_point now);

  ByTime by_time_;
  tunnel::io::Timer timer_;
  bool stopped_ = false;
};

/// One deadline; none is set at first. Destroying it, also from within its own handler, takes it
/// back. The Deadlines must outlive it.
class Deadline {
 public:
  using Handler = std::function<void()>;

  Deadline(Deadlines& all, Handler handler)
      : all_{all}, handler_{std::move(handler)}, where_{all.by_time_.end()} {}
  Deadline(Deadline&&) = delete;
  ~Deadline() { cancel(); }

  /// Replaces the moment set before. The handler is called once, at `when` or a little later.
  void expires_at(tunnel::Clock::time_point when);
  void expires_after(tunnel::Clock::duration delay) { expires_at(tunnel::Clock::now() + delay); }
  void cancel();
  /// The moment that is set; max() when none is.
  tunnel::Clock::time_point expiry() const;

 private:
  friend class Deadlines;
  Deadlines& all_;
  Handler handler_;
  Deadlines::ByTime::iterator where_;
};

}  // namespace rdv
