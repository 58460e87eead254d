#include "cli/mode_question.hpp"

#include "cli/device_bus.hpp"

namespace device::cli {

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
