#include "ctl/text.hpp"

#include "utc.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rdv::ctl {

using nlohmann::json;

namespace {

std::string text(const json& object, const char* key) {
  return object.value(key, std::string{});
}
std::int64_t number(const json& object, const char* key) {
  return object.value(key, std::int64_t{0});
}
std::string time(const json& object, const char* key) {
  return format_utc(number(object, key));
}
std::string or_dash(std::string value) {
  return value.empty() ? "-" : std::move(value);
}

/// Characters of UTF-8: bytes that do not continue one.
std::size_t width(std::string_view cell) {
  return static_cast<std::size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

/// "online since 2026-…", "offline since …", "never seen", "not enrolled yet", "revoked 2026-…".
std::string presence(const json& device) {
  const auto state = text(device, "state");
  if (state == "revoked") return "revoked at " + time(device, "revoked_at");
  if (device.value("online", false)) return "online since " + time(device, "since");
  if (state == "registered") return "not enrolled yet";
  return number(device, "since") == 0 ? "never seen" : "offline since " + time(device, "since");
}

std::string lines(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : facts)
    if (!value.empty()) rows.push_back({name + ":", value});
  return table(rows);
}

/// "running", "interrupted since 2026-…".
std::string session_state(const json& session) {
  const auto state = text(session, "state");
  const auto since = number(session, "interrupted_since");
  return since == 0 || state == "running" ? state : "interrupted since " + format_utc(since);
}

std::string code_state(const json& device) {
  const auto expires = number(device, "code_expires");
  return expires == 0 ? std::string{} : "valid until " + format_utc(expires);
}

/// "12 records", "12 records; 3 wait since 2026-…, 0 lost".
std::string audit_state(const json& status) {
  auto state = fmt::format("{} records", number(status, "audit_records"));
  if (!text(status, "audit_trouble").empty())
    state += fmt::format("; {} wait since {}, {} lost", number(status, "audit_waiting"),
                         time(status, "audit_trouble_since"), number(status, "audit_lost"));
  return state;
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string device_table(const json& devices) {
  if (devices.empty()) return "no devices; add one with: rdvctl device add NAME --role onsite\n";
  std::vector<std::vector<std::string>> rows{
      {"NAME", "ROLE", "SYSTEM", "STATE", "ADDRESS", "LAN", "BUSY WITH", "SITE"}};
  std::size_t online = 0;
  for (const auto& device : devices) {
    online += device.value("online", false) ? 1 : 0;
    rows.push_back({text(device, "name"), text(device, "role"), text(device, "system"),
                    presence(device), or_dash(text(device, "public_address")),
                    or_dash(text(device, "lan")), or_dash(text(device, "busy_with")),
                    or_dash(text(device, "site"))});
  }
  return table(rows) + fmt::format("{} device{}, {} online\n", devices.size(),
                                   devices.size() == 1 ? "" : "s", online);
}

std::string device_details(const json& device) {
  const auto allow = device.value("allow", std::vector<std::string>{});
  return lines(
      {{"name", text(device, "name")},
       {"role", text(device, "role")},
       {"system", text(device, "system")},
       {"site", text(device, "site")},
       {"state", presence(device)},
       {"reason", text(device, "revoked_reason")},
       {"busy with", text(device, "busy_with")},
       {"public address", text(device, "public_address")},
       {"hostname", text(device, "hostname")},
       {"LAN", text(device, "lan")},
       {"uplink", text(device, "uplink")},
       {"software", text(device, "software")},
       {"allowed beyond", fmt::format("{}", fmt::join(allow, ", "))},
       {"mode L2", device.value("l2", false) ? "permitted" : ""},
       {"enrolled", number(device, "enrolled_at") == 0 ? "" : time(device, "enrolled_at")},
       {"certificate until",
        number(device, "certificate_expires") == 0 ? "" : time(device, "certificate_expires")},
       {"key (SHA-256)", text(device, "key_sha256")},
       {"enrolment code", code_state(device)}});
}

std::string session_table(const json& sessions) {
  if (sessions.empty()) return "no sessions\n";
  std::vector<std::vector<std::string>> rows{{"ID", "MASTER", "ONSITE", "SYSTEM", "MODE", "STATE",
                                              "SINCE", "UNTIL", "FROM ONSITE", "FROM MASTER"}};
  for (const auto& session : sessions) {
    const auto expires = number(session, "expires");
    rows.push_back({text(session, "id"), text(session, "master"), text(session, "onsite"),
                    text(session, "system"), text(session, "mode"), session_state(session),
                    time(session, "since"), expires == 0 ? "-" : format_utc(expires),
                    bytes_text(session.value("rx_bytes", std::uint64_t{0})),
                    bytes_text(session.value("tx_bytes", std::uint64_t{0}))});
  }
  return table(rows) +
         fmt::format("{} session{}\n", sessions.size(), sessions.size() == 1 ? "" : "s");
}

std::string status_details(const json& status) {
  const auto listen = status.value("listen", std::vector<std::string>{});
  std::vector<std::pair<std::string, std::string>> facts{
      {"version", text(status, "version")},
      {"running since", time(status, "since")},
      {"listening on", fmt::format("{}", fmt::join(listen, ", "))},
      {"devices", fmt::format("{} registered, {} online", number(status, "devices"),
                              number(status, "online"))},
      {"sessions", fmt::format("{}", number(status, "sessions"))},
      {"handshakes",
       fmt::format("{} done, {} refused", number(status, "handshakes"), number(status, "refused"))},
      {"relayed", bytes_text(status.value("relayed_bytes", std::uint64_t{0}))},
      {"memory", fmt::format("{} KiB", number(status, "memory_kb"))},
      {"audit", audit_state(status)},
      {"end of the audit", text(status, "audit_head")}};
  for (const auto& alarm : status.value("alarms", std::vector<std::string>{}))
    facts.emplace_back("ALARM", alarm);
  return lines(facts);
}

std::string code_text(std::string_view name, std::string_view code, std::int64_t expires) {
  return fmt::format(
      "{1}\n"
      "On {0}, enter: sudo tundev enroll {1}\n"
      "The code works once, until {2}.\n",
      name, code, format_utc(expires));
}

std::string sd_file_text(std::string_view name, std::string_view path, std::int64_t expires) {
  return fmt::format(
      "{1} makes an SD card the device {0}.\n"
      "Copy it to the card's first partition as rdv-provision.toml, and switch the device on; "
      "rdv-status.txt beside it then says how it went.\n"
      "It holds the code, which works once, until {2}: keep it to yourself, and delete it "
      "afterwards.\n",
      name, path, format_utc(expires));
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < units.size()) {
    value /= 1000.0;
    ++unit;
  }
  const bool with_tenth = unit > 0 && value < 10.0;
  return with_tenth ? fmt::format("{:.1f} {}", value, units[unit])
                    : fmt::format("{:.0f} {}", value, units[unit]);
}

}  // namespace rdv::ctl
