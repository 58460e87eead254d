#include "cli/json.hpp"

#include <nlohmann/json.hpp>

namespace device::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string line(const Json& json) {
  // Bytes that are not UTF-8 become U+FFFD: a line is always valid JSON.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json onsite_json(const ListedOnsite& onsite) {
  return {{"name", onsite.name},
          {"site", onsite.site},
          {"hostname", onsite.hostname},
          {"lan", onsite.lan},
          {"dns", onsite.dns},
          {"uplink", onsite.uplink},
          {"public_address", onsite.public_address},
          {"online", onsite.online},
          {"since", onsite.since},
          {"busy_with", onsite.busy_with},
          {"busy_since", onsite.busy_since}};
}

Json status_json(const AgentStatus& status) {
  return {{"name", status.name},
          {"role", status.role},
          {"system", status.system},
          {"server", status.server},
          {"connected", status.connected},
          {"status", status.status},
          {"version", status.version},
          {"uplink", status.uplink},
          {"uplink_fixed", status.uplink_fixed}};
}

}  // namespace

std::string json_onsites(const std::vector<ListedOnsite>& onsites) {
  Json devices = Json::array();
  std::size_t online = 0;
  for (const auto& onsite : onsites) {
    devices.push_back(onsite_json(onsite));
    online += onsite.online ? 1 : 0;
  }
  return line({{"devices", devices}, {"total", onsites.size()}, {"online", online}});
}

std::string json_status(const AgentStatus& status, const std::vector<RunningSession>& sessions) {
  auto json = status_json(status);
  if (status.role == "master") {
    json["port_address"] = status.port_address;
    json["ports"] = Json::array();
    json["ports_problem"] = status.ports_problem;
  }
  for (const auto& port : status.ports)
    json["ports"].push_back({{"name", port.name},
                             {"laptop", port.is_laptops},
                             {"reason", port.reason},
                             {"remedy", port.remedy}});
  json["sessions"] = Json::array();
  for (const auto& session : sessions)
    json["sessions"].push_back({{"id", session.id},
                                {"session", session.session},
                                {"state", session.state},
                                {"peer", session.peer},
                                {"mode", session.mode},
                                {"since", session.since},
                                {"interrupted_since", session.interrupted_since},
                                {"rx_bytes", session.rx_bytes},
                                {"tx_bytes", session.tx_bytes}});
  return line(json);
}

std::string json_enrolment(const Enrolment& enrolment, std::string_view server) {
  return line({{"name", enrolment.name},
               {"role", enrolment.role},
               {"system", enrolment.system},
               {"server", server}});
}

std::string json_event(const SessionEvent& event, std::string_view onsite) {
  Json json{{"state", event.state_word}, {"onsite", onsite}, {"id", event.id}};
  switch (event.state) {
    case SessionState::waiting:
      json["reason"] = event.reason;
      json["text"] = event.text;
      json["since"] = event.since;
      break;
    case SessionState::opening:
    case SessionState::unknown: break;
    case SessionState::established:
      json["session"] = event.session;
      json["peer"] = event.peer;
      json["mode"] = event.mode;
      json["hostname"] = event.hostname;
      json["lan"] = event.lan;
      json["dns"] = event.dns;
      json["echo_ms"] = event.echo_ms;
      json["open_ms"] = event.open_ms.value_or(0);
      json["expires"] = event.expires;
      json["resumed"] = event.resumed;
      json["anew"] = event.anew;
      json["interrupted_ms"] = event.interrupted_ms;
      json["confirm_seconds"] = event.confirm_seconds;
      break;
    case SessionState::switching:
      json["mode"] = event.mode;
      json["next"] = event.next;
      json["text"] = event.text;
      json["rx_bytes"] = event.rx_bytes;
      json["tx_bytes"] = event.tx_bytes;
      json["seconds"] = event.seconds;
      break;
    case SessionState::confirmed: json["mode"] = event.mode; break;
    case SessionState::interrupted:
      json["code"] = event.code;
      json["text"] = event.text;
      json["anew"] = event.anew;
      json["up_to_seconds"] = event.up_to_seconds;
      break;
    case SessionState::warning: json["text"] = event.text; break;
    case SessionState::closed:
      json["code"] = event.code;
      json["text"] = event.text;
      json["failed"] = event.failed;
      json["rx_bytes"] = event.rx_bytes;
      json["tx_bytes"] = event.tx_bytes;
      json["seconds"] = event.seconds;
      break;
  }
  return line(json);
}

std::string json_complaint(const Complaint& complaint, std::string_view code) {
  return line({{"state", "error"},
               {"code", code},
               {"what", complaint.what},
               {"why", complaint.why},
               {"next", complaint.next}});
}

std::string error_word(std::string_view error_name) {
  std::string word;
  for (const char c : error_name.substr(error_name.rfind('.') + 1)) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !word.empty()) word += '_';
    word += upper ? static_cast<char>(c + 32) : c;
  }
  return word;
}

}  // namespace device::cli
