#include "cli/provision.hpp"

#include "base/clock.hpp"
#include "cli/command.hpp"
#include "cli/complaint.hpp"
#include "cli/device_bus.hpp"
#include "cli/stop_signals.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <spawn.h>
#include <system_error>
#include <variant>

namespace device::cli {
namespace {

using tunnel::provision::Code;
using tunnel::provision::Problems;

constexpr int quiet_tries = 2;  ///< at boot the services and the network come up one by one
constexpr char mend_and_boot[] =
    "correct rdv-provision.toml on this partition, or put a new one there (rdvctl device code NAME "
    "--sd-file FILE, and the options for uplink and ssh keys anew); then switch the device off and "
    "on";

/// The last part of an error's name.
std::string_view last_word(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

/// Does not wait: at boot systemd is busy with the one who asks.
void start_unit(const std::string& unit) {
  std::string argv0 = "systemctl", argv1 = "--no-block", argv2 = "start", argv3 = unit;
  char* argv[] = {argv0.data(), argv1.data(), argv2.data(), argv3.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv0.c_str(), nullptr, nullptr, argv, environ);
  if (error != 0)
    throw std::system_error{error, std::generic_category(), "start systemctl for " + unit};
}

/// wpa_supplicant's unit takes the interface's name unescaped (systemd.unit(5), "%I").
std::string wpa_unit(const std::string& interface) {
  std::string escaped;
  for (const char c : interface)
    escaped += c == '-' ? std::string{"\\x2d"} : std::string{c};
  return fmt::format("wpa_supplicant@{}.service", escaped);
}

/// @return whether a stop signal came
bool wait_for_stop(int fd, std::chrono::seconds time) {
  pollfd stop{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&stop, 1, static_cast<int>(std::chrono::milliseconds{time}.count())) != 0;
}

}  // namespace

Provision::Provision(Console& console, const Options& options)
    : console_{console},
      card_{options.file, options.status},
      settings_{options.place},
      is_running_system_{options.place.root == "/"} {}

/// A card that cannot be written is no reason to stop: the log has it, too.
void Provision::report(const CardStatus& status) {
  for (const auto& sentence : status.why)
    console_.note(sentence);
  try {
    card_.write_status(status.text(tunnel::unix_now()));
  } catch (const std::system_error& error) {
    console_.note(fmt::format("the status cannot be written: {}", error.what()));
  }
}

/// A card that cannot be read is no reason to stop either: what was kept of it makes the system.
std::optional<std::string> Provision::read_card() {
  try {
    return card_.read();
  } catch (const std::system_error& error) {
    console_.note(fmt::format("the card's file is passed over: {}", error.what()));
    card_is_damaged_ = true;
    return std::nullopt;
  }
}

/// @return whether the file on the card is good, or there is none
bool Provision::take_over(const std::optional<std::string>& on_card) {
  if (!on_card || is_ours(on_card)) return true;
  const auto checked = tunnel::provision::check(*on_card);
  if (const auto* problems = std::get_if<Problems>(&checked)) {
    CardStatus status{.why = {}, .next = mend_and_boot};
    for (const auto& problem : *problems)
      status.why.push_back(problem.str());
    report(status);
    return false;
  }
  settings_.keep(*on_card);
  return true;
}

std::optional<tunnel::provision::Provisioning> Provision::kept_provisioning() {
  const auto text = settings_.kept();
  if (!text) return std::nullopt;
  auto checked = tunnel::provision::check(*text, Code::none);
  if (auto* good = std::get_if<tunnel::provision::Provisioning>(&checked)) return std::move(*good);
  console_.note(fmt::format("what was kept of the card's file is damaged: {}",
                            std::get<Problems>(checked).front().str()));
  return std::nullopt;
}

int Provision::settings() {
  const auto on_card = read_card();
  const bool fresh = on_card && !is_ours(on_card);
  const bool good = take_over(on_card) && !card_is_damaged_;
  const auto kept = kept_provisioning();
  if (!kept) return good && !settings_.kept() ? exit_done : exit_failed;
  provisioning_ = *kept;
  const int applied = apply_kept(fresh && good);
  return good ? applied : exit_failed;
}

int Provision::apply_kept(bool fresh) {
  CardStatus status{.name = provisioning_.name};
  try {
    settings_.apply(provisioning_);
    if (is_running_system_ && provisioning_.uplink.kind == "wifi")
      start_unit(wpa_unit(wifi_interface(provisioning_.uplink)));
  } catch (const std::exception& error) {  // SettingsError, or what the file system refuses
    status.why.push_back(error.what());
    status.next = mend_and_boot;
    report(status);
    return exit_failed;
  }
  if (!fresh) return exit_done;
  status.done = summary(provisioning_);
  status.next = "wait: the device enrols as soon as it reaches the server";
  report(status);
  return exit_done;
}

/// Whether the card's file is the one that was kept: another one is the next boot's.
bool Provision::is_ours(const std::optional<std::string>& on_card) const {
  return on_card && on_card == settings_.kept();
}

int Provision::enroll() {
  const StopSignals stop;
  const auto kept = kept_provisioning();
  if (!kept || kept->code.empty()) return exit_done;
  provisioning_ = *kept;
  Enrolling enrolling{provisioning_.name};
  for (;; ++tries_) {
    const auto next = try_once(stop.fd(), enrolling);
    if (!next) return exit_done;
    if (*next == Enrolling::Next::done) return finish();
    if (*next == Enrolling::Next::give_up) return give_up();
    report_trouble();
    if (wait_for_stop(stop.fd(), enrolling.delay())) return exit_done;
  }
}

/// @return nothing when a stop signal came
std::optional<Enrolling::Next> Provision::try_once(int stop_fd, Enrolling& enrolling) {
  std::string error;
  try {
    DeviceBus bus{stop_fd};
    try {
      const auto made = bus.enroll(provisioning_.code);
      why_.clear();
      if (made.name != provisioning_.name || made.role != provisioning_.role)
        why_ = fmt::format(
            "the code was made for {} ({}), so that is what this device is now, not "
            "{} ({})",
            made.name, made.role, provisioning_.name, provisioning_.role);
      return Enrolling::Next::done;
    } catch (const BusError& failure) {
      error = failure.name;
      why_ = explain_bus_error("", failure.name, failure.what()).why;
    }
    const auto facts = bus.status();
    return enrolling.on_failure(last_word(error), {facts.name, facts.connected});
  } catch (const BusError& failure) {  // no bus, or no agent on it
    if (why_.empty()) why_ = explain_bus_error("", failure.name, failure.what()).why;
    return enrolling.on_failure("NotConnected", {});
  } catch (const Stopped&) {
    return std::nullopt;
  }
}

/// Said once for each cause.
void Provision::report_trouble() {
  if (tries_ < quiet_tries || why_ == reported_ || !(read_card() == settings_.kept())) return;
  reported_ = why_;
  report({.name = provisioning_.name,
          .why = {why_},
          .next = "let the device reach the server; it goes on trying by itself",
          .done = summary(provisioning_)});
}

int Provision::finish() {
  const auto on_card = read_card();
  const bool ours = is_ours(on_card);
  provisioning_.code.clear();
  settings_.keep(tunnel::provision::to_toml(provisioning_));
  if (on_card && !ours) return exit_done;  // its problems stand in the status
  std::vector<std::string> why;
  if (!why_.empty()) why.push_back(why_);
  try {
    if (ours) card_.destroy();
  } catch (const std::system_error& error) {
    why.push_back(
        fmt::format("the file is still here, though its code is used up: {}; the next "
                    "start tries again to delete it",
                    error.what()));
  }
  report({.name = provisioning_.name,
          .enrolled = true,
          .why = std::move(why),
          .done = summary(provisioning_)});
  console_.print(fmt::format("enrolled as {}", provisioning_.name));
  return exit_done;
}

int Provision::give_up() {
  report({.name = provisioning_.name,
          .why = {why_},
          .next = fmt::format("make a new file on the server (rdvctl device code {} --sd-file "
                              "FILE, and the options for uplink and ssh keys anew), put it on this "
                              "partition as rdv-provision.toml, and switch the device off and on",
                              provisioning_.name),
          .done = summary(provisioning_)});
  return exit_failed;
}

}  // namespace device::cli
