#include "session.hpp"

namespace rdv {

std::string_view to_string(Session::State state) {
  switch (state) {
    case Session::State::offered: return "offered";
    case Session::State::granted: return "granted";
    case Session::State::running: return "running";
    case Session::State::interrupted: return "interrupted";
  }
  return "unknown";
}

std::string time_limit_text(std::uint32_t seconds) {
  return "it was limited to " + std::to_string(seconds) + " s";
}

}  // namespace rdv
