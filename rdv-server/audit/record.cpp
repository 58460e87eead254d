#include "audit/record.hpp"

#include "audit/words.hpp"
#include "base/bytes.hpp"
#include "base/session_id.hpp"
#include "crypto/hash.hpp"
#include "utc.hpp"
#include "wire/names.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace rdv {

using nlohmann::ordered_json;
using tunnel::wire::Hash;

namespace {

constexpr std::string_view hash_begins = R"(,"hash":")";
constexpr std::string_view hash_ends = R"("})";
constexpr std::size_t hash_digits = 2 * sizeof(Hash);
constexpr std::size_t hash_chars = hash_begins.size() + hash_digits + hash_ends.size();

std::optional<Hash> parse_hash(std::string_view digits) {
  const auto bytes = tunnel::from_hex(digits);
  const bool lower =
      std::none_of(digits.begin(), digits.end(), [](char c) { return c <= 'F' && c >= 'A'; });
  Hash hash{};
  if (bytes.size() != hash.size() || !lower) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

void put(ordered_json& record, const char* name, const std::string& text) {
  if (!text.empty()) record[name] = tunnel::wire::to_plain_text(text, audit_text_bytes_max);
}
void put(ordered_json& record, const char* name, std::uint64_t number, bool always) {
  if (number != 0 || always) record[name] = number;
}

/// What the event says, with the names of log.hpp.
void put_event(ordered_json& record, const Event& event) {
  const bool is_end = event.kind == Event::Kind::closed;
  if (event.session != 0) record["session"] = tunnel::format_session_id(event.session);
  put(record, "device", event.device);
  put(record, "master", event.master);
  put(record, "onsite", event.onsite);
  put(record, "peer", event.address);
  put(record, "code", event.code);
  put(record, "rule", event.rule);
  put(record, "allow", event.allow);
  put(record, "mode", event.mode);
  put(record, "user", event.user);
  put(record, "reason", event.text);
  put(record, "count", event.count, event.kind == Event::Kind::audit_gap);
  if (event.seconds != 0 || is_end) record["seconds"] = event.seconds;
  put(record, "rx_bytes", event.from_onsite_bytes, is_end);
  put(record, "tx_bytes", event.from_master_bytes, is_end);
}

/// Takes what every record has out of `json`, and the rest as fields. @return why not, or ""
std::string take(const ordered_json& json, AuditRecord& record) {
  std::optional<Hash> previous;
  for (const auto& [name, value] : json.items()) {
    if (value.is_structured() || value.is_null()) return "a field of it is no text and no number";
    if (name == "seq" && value.is_number_unsigned())
      record.head.sequence = value.get<std::uint64_t>();
    else if (name == "time" && value.is_string())
      record.time = value.get<std::string>();
    else if (name == "what" && value.is_string())
      record.what = value.get<std::string>();
    else if (name == "prev" && value.is_string())
      previous = parse_hash(value.get_ref<const std::string&>());
    else
      record.fields.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (record.head.sequence == 0) return "it has no number";
  if (record.time.empty() || record.what.empty()) return "it does not say when or what";
  if (!previous) return "it does not name the record before";
  record.previous = *previous;
  return {};
}

}  // namespace

std::string AuditHead::str() const {
  return fmt::format("{}:{}", sequence, tunnel::to_hex(hash));
}

AuditHead parse_audit_head(std::string_view text) {
  AuditHead head;
  const auto colon = std::min(text.find(':'), text.size());
  const auto [end, ec] = std::from_chars(text.data(), text.data() + colon, head.sequence);
  const auto hash = parse_hash(text.substr(std::min(colon + 1, text.size())));
  if (ec != std::errc{} || end != text.data() + colon || !hash) return {};
  head.hash = *hash;
  return head.sequence == 0 ? AuditHead{} : head;
}

AuditLine make_audit_line(const AuditHead& before, const Event& event, tunnel::UnixMillis time) {
  AuditLine line{.text = {}, .head = {.sequence = before.sequence + 1}};
  ordered_json record{
      {"seq", line.head.sequence}, {"time", format_utc_ms(time)}, {"what", audit_word(event.kind)}};
  put_event(record, event);
  record["prev"] = tunnel::to_hex(before.hash);
  line.text = record.dump();
  line.text.pop_back();  // the brace
  line.head.hash = tunnel::crypto::sha256(tunnel::as_bytes(line.text));
  line.text += fmt::format("{}{}{}\n", hash_begins, tunnel::to_hex(line.head.hash), hash_ends);
  return line;
}

std::string_view AuditRecord::field(std::string_view name) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? std::string_view{} : std::string_view{found->second};
}

std::variant<AuditRecord, AuditDamage> read_audit_line(std::string_view line) {
  if (line.size() >= audit_line_bytes_max) return AuditDamage{"it is too long for a record"};
  if (line.size() < hash_chars) return AuditDamage{"it is no record"};
  const auto covered = line.substr(0, line.size() - hash_chars);
  auto rest = line.substr(covered.size());
  const auto digits = rest.substr(hash_begins.size(), hash_digits);
  const auto hash = parse_hash(digits);
  if (!rest.starts_with(hash_begins) || !rest.ends_with(hash_ends) || !hash)
    return AuditDamage{"it is no record, or its end is cut off"};
  if (tunnel::crypto::sha256(tunnel::as_bytes(covered)) != *hash)
    return AuditDamage{"it was changed: its bytes do not have the hash that it states"};
  const auto json = ordered_json::parse(std::string{covered} + '}', nullptr, false);
  if (!json.is_object()) return AuditDamage{"it is not JSON"};
  AuditRecord record{.head = {.sequence = 0, .hash = *hash}, .time = {}, .what = {}, .fields = {}};
  if (auto why = take(json, record); !why.empty()) return AuditDamage{std::move(why)};
  return record;
}

}  // namespace rdv
