#include "cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <time.h>

namespace device::cli {
namespace {

/// The code point at the start of `text` and its length; a stray byte stands for itself.
std::pair<char32_t, std::size_t> code_point(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  const std::size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 1 || text.size() < length) return {first, 1};
  char32_t value = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i)
    value = value << 6U | (at(i) & 0x3fU);
  return {value, length};
}

struct Range {
  char32_t first, last;
};
// Unicode 15, the blocks people write names in; the rest counts 1.
constexpr std::array combining{Range{0x300, 0x36f}, Range{0x200b, 0x200f}, Range{0xfe00, 0xfe0f}};
constexpr std::array wide{Range{0x1100, 0x115f},   Range{0x2e80, 0xa4cf},  Range{0xac00, 0xd7a3},
                          Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},  Range{0xff00, 0xff60},
                          Range{0x1f300, 0x1faff}, Range{0x20000, 0x3fffd}};

template <std::size_t N>
bool is_in(char32_t c, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](Range r) { return c >= r.first && c <= r.last; });
}

std::string counted(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string who_is_on(const ListedOnsite& onsite) {
  if (onsite.busy_with.empty()) return {};
  if (onsite.busy_since == 0) return onsite.busy_with;
  return fmt::format("{} since {}", onsite.busy_with, format_time(onsite.busy_since));
}

std::string presence(const ListedOnsite& onsite) {
  const std::string_view word = onsite.online ? "online" : "offline";
  if (onsite.since != 0) return fmt::format("{} since {}", word, format_time(onsite.since));
  return onsite.online ? "online" : "never seen";
}

std::string identity_line(const AgentStatus& status) {
  if (status.name.empty()) return "not enrolled; enrol this device with: tundev enroll CODE\n";
  return fmt::format("{} ({}) of system {}\n", status.name, status.role, status.system);
}

std::string server_line(const AgentStatus& status) {
  if (status.name.empty()) return {};
  if (!status.status.empty()) return fmt::format("server:  {}\n", status.status);
  return fmt::format("server:  {}, {}\n", status.server,
                     status.connected ? "connected" : "not connected");
}

std::string uplink_line(const AgentStatus& status) {
  if (status.uplink.empty()) return {};
  return fmt::format("uplink:  {}{}\n", status.uplink,
                     status.uplink_fixed ? " and no other (onsitedev -U auto: as configured)" : "");
}

std::string port_lines(const AgentStatus& status) {
  if (status.role != "master") return {};
  if (!status.ports_problem.empty()) return fmt::format("port:    {}\n", status.ports_problem);
  if (status.ports.empty()) return "port:    there is none; plug a USB-Ethernet adapter in\n";
  std::string text;
  for (const auto& port : status.ports)
    text += port.is_laptops
                ? fmt::format("port:    {} is the laptop's, {}\n", port.name, status.port_address)
                : fmt::format("port:    {} is not the laptop's: {}; {}\n", port.name, port.reason,
                              port.remedy);
  return text;
}

std::string session_lines(const std::vector<RunningSession>& sessions, tunnel::UnixSeconds now) {
  std::string text;
  for (const auto& session : sessions) {
    const auto lasted = now > session.since ? static_cast<std::uint64_t>(now - session.since) : 0;
    const auto since = session.interrupted_since == 0 ? session.since : session.interrupted_since;
    text += fmt::format("session: {} ({}){}, {} since {}: {}\n", session.peer, session.session,
                        session.mode == "L2" ? " in mode L2, as by a cable into the LAN" : "",
                        session.state, format_time(since),
                        format_traffic(session.rx_bytes, session.tx_bytes, lasted));
  }
  return text;
}

}  // namespace

std::size_t display_columns(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto [c, length] = code_point(text);
    columns += is_in(c, combining) ? 0 : is_in(c, wide) ? 2 : 1;
    text.remove_prefix(length);
  }
  return columns;
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  // 999.95 would be shown as 1000.0: it belongs to the next unit already.
  for (; value >= 999.95 && unit + 1 < units.size(); ++unit)
    value /= 1000;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string format_duration(std::uint64_t seconds) {
  const auto minutes = seconds / 60;
  const auto hours = minutes / 60;
  if (minutes == 0) return fmt::format("{} s", seconds);
  if (hours == 0) return fmt::format("{} min {:02} s", minutes, seconds % 60);
  if (hours < 24) return fmt::format("{} h {:02} min", hours, minutes % 60);
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

std::string format_time(tunnel::UnixSeconds time) {
  if (time == 0) return "never";
  const auto seconds = static_cast<time_t>(time);
  tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) return "at an impossible time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min);
}

std::string format_clock(tunnel::UnixSeconds time) {
  const auto seconds = static_cast<time_t>(time);
  tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return "at an impossible time";
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

Table::Table(std::vector<std::string> headings) : rows_{std::move(headings)} {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(rows_.front().size());
  for (auto& cell : cells)
    if (cell.empty()) cell = "-";
  rows_.push_back(std::move(cells));
}

std::string Table::str() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_columns(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += row[i] + std::string(widths[i] - display_columns(row[i]) + 2, ' ');
    text += row.back() + '\n';
  }
  return text;
}

std::string format_onsites(const std::vector<ListedOnsite>& onsites) {
  std::size_t online = 0;
  Table table{
      {"NAME", "SITE", "HOSTNAME", "LAN", "UPLINK", "PUBLIC ADDRESS", "STATE", "IN USE BY"}};
  for (const auto& onsite : onsites) {
    online += onsite.online ? 1 : 0;
    table.add({onsite.name, onsite.site, onsite.hostname, onsite.lan, onsite.uplink,
               onsite.public_address, presence(onsite), who_is_on(onsite)});
  }
  const auto total = fmt::format("{}, {} online\n", counted(onsites.size(), "onsite"), online);
  return onsites.empty() ? total : table.str() + total;
}

std::string format_status(const AgentStatus& status, const std::vector<RunningSession>& sessions,
                          tunnel::UnixSeconds now) {
  return identity_line(status) + server_line(status) + uplink_line(status) + port_lines(status) +
         session_lines(sessions, now) + fmt::format("service: tundev-agent {}\n", status.version);
}

std::string format_customer_view(const AgentStatus& status,
                                 const std::vector<RunningSession>& sessions,
                                 tunnel::UnixSeconds now) {
  auto text = identity_line(status) + server_line(status) + uplink_line(status) +
              session_lines(sessions, now);
  if (sessions.empty()) text += "session: none; nobody is connected to your network\n";
  return text;
}

std::string format_traffic(std::uint64_t rx_bytes, std::uint64_t tx_bytes, std::uint64_t seconds) {
  return fmt::format("{} received, {} sent in {}", format_bytes(rx_bytes), format_bytes(tx_bytes),
                     format_duration(seconds));
}

}  // namespace device::cli
