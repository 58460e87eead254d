#pragma once
#include "cli/device_facts.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// What people read, made of facts. Pure: no clock, no terminal, no bus.
namespace device::cli {

/// Columns a text takes on a terminal: combining marks count 0, East Asian wide characters 2.
/// @param text  UTF-8; a byte that is not counts 1
std::size_t display_columns(std::string_view text);

/// "999 B", "1.2 kB", "12.3 MB": powers of 1000, one decimal from kB on.
std::string format_bytes(std::uint64_t bytes);
/// "42 s", "4 min 10 s", "2 h 05 min", "3 d 4 h".
std::string format_duration(std::uint64_t seconds);
/// "2026-01-14 09:12 UTC"; 0 is "never".
std::string format_time(tunnel::UnixSeconds time);

/// "14:03:12", local time: of what happens before the reader's eyes.
std::string format_clock(tunnel::UnixSeconds time);

/// Rows of cells, each column as wide as its widest cell. An empty cell shows "-". Nothing is cut.
class Table {
 public:
  explicit Table(std::vector<std::string> headings);
  /// @param cells  as many as there are headings
  void add(std::vector<std::string> cells);
  /// Lines, each ended by a newline and without blanks at its end.
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// `masterdev -l`: the table and under it the total, "3 onsites, 2 online".
std::string format_onsites(const std::vector<ListedOnsite>& onsites);

/// `tundev status`: who we are, how we stand with the server, and the sessions.
/// @param now  to say how long a session has lasted
std::string format_status(const AgentStatus& status, const std::vector<RunningSession>& sessions,
                          tunnel::UnixSeconds now);

/// `onsitedev status`: the same in the customer's words.
std::string format_customer_view(const AgentStatus& status,
                                 const std::vector<RunningSession>& sessions,
                                 tunnel::UnixSeconds now);

/// "12.3 MB received, 1.2 MB sent in 4 min 10 s"
std::string format_traffic(std::uint64_t rx_bytes, std::uint64_t tx_bytes, std::uint64_t seconds);

}  // namespace device::cli
