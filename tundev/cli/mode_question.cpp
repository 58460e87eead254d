#include "cli/mode_question.hpp"

#include "cli/device_bus.hpp"
#include "cli/mode_text.hpp"

#include <cstdlib>

namespace device::cli {

bool explain_l2(Console& console, DeviceBus& bus, std::string_view onsite) {
  console.note(l2_notice(onsite));
  const char* connection = std::getenv("SSH_CONNECTION");
  if (connection == nullptr) return false;
  std::string port;
  for (const auto& candidate : bus.ports())
    if (candidate.is_laptops) port = candidate.name;
  const bool is_cut_off = sits_on_port(connection, port, bus.status().port_address);
  if (is_cut_off) console.note("warning: " + cut_off_notice());
  return is_cut_off;
}

void ModeQuestion::on_event(SessionEvent& event) {
  switch (event.state) {
    case SessionState::established:
      event.enter = event.confirm_seconds > 0 && key_.listen();
      if (!event.enter) key_.stop();
      return;
    case SessionState::switching:
    case SessionState::confirmed:
    case SessionState::closed: return key_.stop();
    case SessionState::waiting:
    case SessionState::opening:
    case SessionState::interrupted:
    case SessionState::warning:
    case SessionState::unknown: return;
  }
}

void ModeQuestion::on_input() {
  switch (key_.take()) {
    case EnterKey::Typed::nothing: return;
    case EnterKey::Typed::enter: return confirm();
    case EnterKey::Typed::other:
      return console_.note("to keep the mode press Enter alone; Ctrl-C leaves");
    case EnterKey::Typed::gone:
      return console_.note("Enter is heard no more; to keep the mode: masterdev --confirm");
  }
}

void ModeQuestion::confirm() {
  try {
    confirm_();
    key_.stop();
  } catch (const BusError& error) {  // too late, say; the events tell how it goes on
    console_.note(std::string{"the mode is not confirmed: "} + error.what());
  } catch (const Stopped&) {
    return;  // it is still to be taken
  }
}

}  // namespace device::cli
