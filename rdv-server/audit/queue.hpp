#pragma once
#include "base/clock.hpp"
#include "event.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace rdv {

/// What waits to be written into the audit, in order, and whether there is reason for alarm. Pure:
/// whoever writes takes front(), writes it and says pop(), until it is empty or cannot be written,
/// and then says by set_trouble() how it went.
///
///        well --trouble--> alarm --all written, no trouble--> well
///                            |
///    record audit_alarm      |  up to waiting_max events wait, those behind them are lost and
///    (waits if it must)      |  counted; at the end the record audit_gap says how many
class AuditQueue {
 public:
  /// Some hundred bytes each.
  static constexpr std::size_t waiting_max = 4'096;

  struct Entry {
    Event event;
    tunnel::UnixMillis time = 0;  ///< of the event
  };
  enum class Change { none, raised, over };

  /// Once one was lost all behind it are, until everything that waits has been written: the gap is
  /// in one place.
  void push(Event event, tunnel::UnixMillis time);
  bool empty() const { return waiting_.empty(); }
  const Entry& front() const { return waiting_.front(); }
  void pop() { waiting_.pop_front(); }
  /// @param trouble  why nothing can be written, or soon not; "": all is well. The alarm is over
  /// only when nothing waits
  /// @return whether the alarm has begun or ended; then there is one more record to write
  Change set_trouble(std::string_view trouble, tunnel::UnixMillis now);

  const std::string& trouble() const { return trouble_; }  ///< "" when there is none
  tunnel::UnixMillis since() const { return since_; }      ///< of the trouble
  std::size_t waiting() const { return waiting_.size(); }
  std::uint64_t lost() const { return lost_; }  ///< since the alarm began

 private:
  std::deque<Entry> waiting_;
  std::string trouble_;
  tunnel::UnixMillis since_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace rdv
